// The owner's decisions on contributions: signed together, sent one after the other.
import { contract } from '../chain/contract';
import type { Network } from '../wallet/context';
import { base64, domain, type Review, signReviews } from '../wallet/typed';
import type { Signer } from '../wallet/wallet';
import { api, data, type Schemas } from './client';

/** Signs with one signature and sends; what was sent stays decided where a later one fails. */
export async function review(network: Network, signer: Signer, datanet: number, records: string[], status: Review['status'], reason: string): Promise<void> {
  const at = Date.now();
  const statements: Review[] = records.map((record) => ({ datanet, record, status, ...(reason === '' ? {} : { reason }), at }));
  const signatures = await signReviews(signer, domain(network.chain_id, contract(network, 'datanets')), statements);
  for (const [i, r] of statements.entries()) {
    const signature = signatures[i];
    if (signature === undefined) continue;
    await data(api.POST('/api/v1/datanets/{id}/reviews', { params: { path: { id: datanet } }, body: { review: r as Schemas['SignedReview']['review'], signature: base64(signature) } }));
  }
}
