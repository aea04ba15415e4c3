// Batches and disputes, in words.
import type { Schemas } from '../api/client';
import { ago } from './format';

type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'plain';

/** What a challenger says, or a committee found, is wrong; by the numbers of the dispute contract. */
const reasons: Record<number, string> = {
  1: 'its document, or something that it refers to, is nowhere to be had',
  2: 'its root or total does not follow from what it lists',
  3: 'a signature is wrong, or a receipt is charged twice',
  4: 'the model does not give this answer when it is run again',
  5: 'the shares of records are not those that attribution gives',
  6: 'another adapter or datanet was used than the receipt names',
  7: 'token counts or the fee are wrong',
};

export function reasonText(reason: number): string {
  return reasons[reason] ?? `for reason ${reason}`;
}

/** What a dispute is about. */
export function subject(d: Pick<Schemas['Dispute'], 'epoch' | 'nonce'>): string {
  return d.epoch === 0 ? `batch ${d.nonce}` : `epoch ${d.epoch}`;
}

export const disputeBadge: Record<Schemas['Dispute']['status'], { tone: Tone; text: string }> = {
  waiting: { tone: 'warn', text: 'waits for a committee' },
  voting: { tone: 'warn', text: 'being judged' },
  guilty: { tone: 'bad', text: 'found wrong' },
  upheld: { tone: 'good', text: 'found right' },
  undecided: { tone: 'plain', text: 'not decided' },
};

/** What became of a dispute, or what it waits for, in a sentence. */
export function outcome(d: Pick<Schemas['Dispute'], 'status' | 'epoch' | 'quorum' | 'guilty' | 'upheld' | 'deadline' | 'round' | 'rounds'>, now: number): string {
  const until = d.deadline * 1000 > now ? `, the time for which ends ${ago(d.deadline * 1000, now)}` : ': the time for which is over, so that anybody may move it on';
  const round = `Round ${d.round} of ${d.rounds}`;
  switch (d.status) {
    case 'waiting':
      return `${round}: a committee is to be drawn from the validators${until}.`;
    case 'voting':
      return `${round}: ${d.guilty} say wrong and ${d.upheld} say right; ${d.quorum} of a kind decide${until}.`;
    case 'guilty':
      return d.epoch === 0
        ? 'The batch pays nobody, what it drew goes back to those who asked, and its worker lost stake.'
        : 'The epoch was dropped, and who proposed it lost the bond.';
    case 'upheld':
      return 'It stands. The bond of the challenger went to whom it accused and to the committee.';
    case 'undecided':
      return d.epoch === 0
        ? 'No committee agreed in any round: the batch stands, and the challenger has the bond back.'
        : 'No committee agreed in any round: the epoch was dropped.';
  }
}

/** Where a batch stands. */
export function batchState(b: Pick<Schemas['BatchPage'], 'status' | 'opens_at' | 'held' | 'refunded' | 'total' | 'claimed'>, now: number): { tone: Tone; text: string; detail: string } {
  switch (b.status) {
    case 'pending':
      return {
        tone: 'plain',
        text: 'in its challenge window',
        detail: b.opens_at * 1000 > now ? `Anybody may challenge it until it can be claimed, ${ago(b.opens_at * 1000, now)}.` : 'Its window is over: it can be claimed with the next block.',
      };
    case 'disputed':
      return { tone: 'warn', text: 'disputed', detail: 'Somebody challenged it. It pays nobody until a committee of validators has decided.' };
    case 'claimable':
      if (b.held) return { tone: 'plain', text: 'in an epoch', detail: 'Single claims rest while an epoch is made of it, which pays them together with others.' };
      if (b.claimed === b.total) return { tone: 'good', text: 'paid', detail: 'Everybody that it pays has claimed.' };
      return { tone: 'good', text: 'can be claimed', detail: 'Nobody challenged it with success. Everybody that it pays may claim at any time.' };
    case 'rejected':
      return {
        tone: 'bad',
        text: 'rejected',
        detail: b.refunded
          ? 'A committee found it wrong: it pays nobody, and those who asked have their money back in escrow.'
          : 'A committee found it wrong: it pays nobody. What it drew goes back into escrow as soon as anybody sends the refund.',
      };
    case 'swept':
      return { tone: 'good', text: 'paid by an epoch', detail: 'What was not claimed singly is with the distributor of epochs, where it is claimed.' };
  }
}
