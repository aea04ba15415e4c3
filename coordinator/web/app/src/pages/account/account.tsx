import { useQuery } from '@tanstack/react-query';
import { api, data } from '../../api/client';
import { Amount, Id, PageHead, Stat } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { NeedsAccount } from '../../wallet/account';
import { useWallet } from '../../wallet/context';
import { Allowed } from './delegate';
import { EscrowCard } from './escrow';
import { Keys } from './keys';
import { Usage } from './usage';

/** The connected account: what it has, what it allows, and its API keys. */
export default function Account() {
  const { signer } = useWallet();
  const account = signer?.account.address;
  return (
    <>
      <PageHead title="Account" sub={account === undefined ? 'What you have, what you allow, and your API keys.' : <Id value={account} label="account" />} />
      {account === undefined ? (
        <NeedsAccount why="Connect an account to see what it has, to put OPEN aside for answers, and to make API keys." />
      ) : (
        // Nothing of one account is kept when another is connected.
        <div className="stack" key={account}>
          <Sums account={account} />
          <div className="grid two">
            <EscrowCard />
            <Allowed />
          </div>
          <Keys account={account} />
          <Usage account={account} />
        </div>
      )}
    </>
  );
}

function Sums({ account }: { account: string }) {
  const query = useQuery({
    queryKey: ['account', account],
    queryFn: () => data(api.GET('/api/v1/accounts/{address}', { params: { path: { address: account } } })),
    refetchInterval: 10_000,
  });
  return (
    <Fetched query={query} what="the account">
      {(a) => (
        <div className="grid">
          <Stat label="Balance" value={<Amount wei={a.balance} digits={4} />} hint="in the account itself, for gas and deposits" />
          <Stat label="Put aside" value={<Amount wei={a.escrow.held} digits={4} />} hint="in the escrow, for answers" />
          <Stat label="Staked" value={<Amount wei={BigInt(a.stake.own) + BigInt(a.stake.delegated)} digits={4} />} hint="on this account as a worker" />
          <Stat label="To be claimed" value={<Amount wei={a.owed.claimable} digits={4} />} hint="see Rewards" />
        </div>
      )}
    </Fetched>
  );
}
