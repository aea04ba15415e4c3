import { useQuery } from '@tanstack/react-query';
import { api, data, type Schemas } from '../../api/client';
import { useNow } from '../../lib/now';

export type Proposal = Schemas['Proposal'];

/** The rules of votes and all proposals. */
export function useGovernance() {
  return useQuery({ queryKey: ['governance'], queryFn: () => data(api.GET('/api/v1/governance')), refetchInterval: 3000 });
}

/** What deadlines go by, in milliseconds: the chain's clock, whose newest block may be a while ago, or may be ahead on a development network. */
export function useChainTime(newest: number): number {
  return Math.max(useNow(), newest * 1000);
}

/** A proposal's title and the rest of its description. */
export function titled(p: Proposal): [string, string] {
  const [title = '', ...rest] = p.description.split('\n');
  return [title.trim() === '' ? 'A proposal without words' : title, rest.join('\n').trim()];
}

export const tones: Record<Proposal['state'], 'good' | 'warn' | 'bad' | 'accent' | 'plain'> = {
  pending: 'plain',
  active: 'accent',
  canceled: 'plain',
  defeated: 'bad',
  succeeded: 'good',
  queued: 'warn',
  expired: 'bad',
  executed: 'good',
};

/** Where a proposal stands, as people say it. */
export const states: Record<Proposal['state'], string> = {
  pending: 'vote not begun',
  active: 'being voted on',
  canceled: 'taken back',
  defeated: 'defeated',
  succeeded: 'succeeded',
  queued: 'in the timelock',
  expired: 'expired',
  executed: 'executed',
};
