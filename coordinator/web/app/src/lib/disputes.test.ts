import { expect, test } from 'vitest';
import { batchState, outcome, reasonText, subject } from './disputes';

const at = 1_700_000_000;
const batch = { status: 'pending' as const, opens_at: at + 90, held: false, refunded: false, total: '5', claimed: '0' };

test('a batch says when it can be claimed', () => {
  expect(batchState(batch, at * 1000).detail).toContain('in 1 min 30 s');
  expect(batchState(batch, (at + 91) * 1000).detail).toContain('next block');
  expect(batchState({ ...batch, status: 'claimable' }, 0).text).toBe('can be claimed');
  expect(batchState({ ...batch, status: 'claimable', claimed: '5' }, 0).text).toBe('paid');
  expect(batchState({ ...batch, status: 'claimable', held: true }, 0).text).toBe('in an epoch');
  expect(batchState({ ...batch, status: 'rejected', refunded: true }, 0).detail).toContain('have their money back');
});

test('a dispute says what it waits for', () => {
  const d = { status: 'voting' as const, epoch: 0, nonce: 3, quorum: 2, guilty: 1, upheld: 0, deadline: at + 60, round: 1, rounds: 3 };
  expect(outcome(d, at * 1000)).toBe('Round 1 of 3: 1 say wrong and 0 say right; 2 of a kind decide, the time for which ends in 1 min.');
  expect(outcome(d, (at + 61) * 1000)).toContain('anybody may move it on');
  expect(outcome({ ...d, status: 'undecided' }, 0)).toContain('the batch stands');
  expect(outcome({ ...d, status: 'undecided', epoch: 4 }, 0)).toContain('the epoch was dropped');
  expect(subject(d)).toBe('batch 3');
  expect(subject({ ...d, epoch: 4 })).toBe('epoch 4');
  expect(reasonText(9)).toBe('for reason 9');
});
