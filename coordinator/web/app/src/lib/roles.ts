import type { Schemas } from '../api/client';

/** Who is paid, in words: roles of payout.Role. */
const names: Record<string, string> = {
  platform: 'Platform treasury',
  worker: 'Workers',
  agent: "Agents' owners",
  owner: "Adapters' owners",
  royalty: 'Owners of parent adapters',
  datanet: "Datanets' owners",
  staker: "Workers' stakers",
  contributor: 'Contributors of records',
  pool: "Datanets' public pools",
};

export function roleName(role: string): string {
  return names[role] ?? role;
}

/** Whom a sum went to, the largest part first, with shares of one. */
export function parts(paid: { role: string; amount: string }[]): { role: string; amount: bigint; share: number }[] {
  const list = paid.map((p) => ({ role: p.role, amount: BigInt(p.amount) })).filter((p) => p.amount > 0n);
  const all = list.reduce((sum, p) => sum + p.amount, 0n);
  return list
    .sort((a, b) => (a.amount < b.amount ? 1 : a.amount > b.amount ? -1 : 0))
    .map((p) => ({ ...p, share: Number((p.amount * 1_000_000n) / all) / 1_000_000 }));
}

/** What an answer cost, wei. */
export function feeOf(r: Pick<Schemas['Receipt'], 'compute' | 'access' | 'markup'>): bigint {
  return BigInt(r.compute) + BigInt(r.access) + BigInt(r.markup);
}
