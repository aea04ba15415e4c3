import { type Hex, recoverAddress } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import agentOrder from '../../../../../protocol/wire/testdata/agent_order.json';
import batches from '../../../../../protocol/wire/testdata/batch.json';
import golden from '../../../../../protocol/wire/testdata/eip712.json';
import hypers from '../../../../../protocol/wire/testdata/hyper.json';
import { type Hyper, hyperHash, hyperJSON } from './hyper';
import { agentDigest, base64, batchDigest, batchOf, type Contribution, contributionDigest, domain, orderDigest, type Review, reviewDigest } from './typed';

const d = domain(golden.chain_id, golden.contract);

// u64 values in the vectors are strings: JavaScript's numbers would round them.
function cases(type: string) {
  const found = golden.cases.filter((c) => c.type === type);
  expect(found.length).toBeGreaterThan(0);
  return found.map((c) => {
    const message = new Map(Object.entries(c.message as Record<string, string>));
    const get = (name: string) => {
      const v = message.get(name);
      if (v === undefined) throw new Error(`the vector has no ${name}`);
      return v;
    };
    return { get, digest: c.digest };
  });
}

describe('typed data is hashed as the network does it', () => {
  it('contributions', () => {
    for (const { get, digest } of cases('Contribution')) {
      const c = { datanet: BigInt(get('datanet')), record: get('record'), contributor: get('contributor'), license: get('license'), at: BigInt(get('at')) };
      expect(contributionDigest(d, c)).toBe(digest);
    }
  });
  it('reviews', () => {
    for (const { get, digest } of cases('Review')) {
      const r = { datanet: BigInt(get('datanet')), record: get('record'), status: get('status') as Review['status'], reason: get('reason'), at: BigInt(get('at')) };
      expect(reviewDigest(d, r)).toBe(digest);
    }
  });
  it('orders of agents', () => {
    const { chain_id, contract, digest, price, ...o } = agentOrder;
    expect(agentDigest(domain(chain_id, contract), { ...o, price: BigInt(price) })).toBe(digest);
  });
  it('training orders', () => {
    for (const { get, digest } of cases('TrainingOrder')) {
      const o = {
        owner: get('owner'),
        name: get('name'),
        base: get('base'),
        datanet: BigInt(get('datanet')),
        version: Number(get('version')),
        root: get('root'),
        hyper_hash: get('hyperHash'),
        access: get('access'),
        royalty_bps: Number(get('royaltyBps')),
        revision: Number(get('revision')),
        parents: get('parents').split(' ').filter(Boolean),
        nonce: get('nonce'),
        deadline: BigInt(get('deadline')),
      };
      expect(orderDigest(d, o)).toBe(digest);
    }
  });
});

describe('a batch is one signature over many statements', () => {
  const at = domain(batches.chain_id, batches.contract);
  it.each(batches.batches.map((b, i) => [`${b.kind} of ${b.count}`, i] as const))('%s', async (_, i) => {
    const b = batches.batches[i];
    if (b === undefined) throw new Error('no such batch');
    const digests = b.statements.map((s) => (b.kind === 'ReviewBatch' ? reviewDigest(at, s as Review) : contributionDigest(at, s as Contribution)));
    expect(digests).toEqual(b.digests);
    const tree = batchOf(digests);
    expect(tree.root).toBe(b.root);
    expect(tree.count).toBe(b.count);
    const digest = batchDigest(at, b.kind as 'ReviewBatch' | 'ContributionBatch', tree);
    expect(digest).toBe(b.digest);
    expect(await privateKeyToAccount(batches.private_key as Hex).sign({ hash: digest })).toBe(b.signature);
    expect((await recoverAddress({ hash: digest, signature: b.signature as Hex })).toLowerCase()).toBe(batches.signer);
    expect(digests.map((_, n) => tree.signature(b.signature as Hex, n))).toEqual(b.signatures);
  });
  it('refuses to sign nothing', () => {
    expect(() => batchOf([])).toThrow('Nothing was chosen');
  });
});

it('hyper-parameters hash as the network hashes them', () => {
  for (const v of hypers) {
    expect(hyperJSON(v.hyper as Hyper)).toBe(v.json);
    expect(hyperHash(v.hyper as Hyper)).toBe(v.hash);
  }
});

it('writes bytes as base64', () => {
  expect(base64('0x00ff10')).toBe('AP8Q');
});
