import { expect, test } from 'vitest';
import { curves, settings, verdict } from './curves';

const at = (step: number, loss: number) => ({ step, loss, exact: 0, records: 4 });

test('both curves lie over the steps, the held-out one from the base on', () => {
  expect(curves({ losses: [3, 2], steps: [1, 4] }, [at(0, 5), at(4, 2.5)])).toEqual([
    { step: 0, learned: null, held: 5 },
    { step: 1, learned: 3, held: null },
    { step: 4, learned: 2, held: 2.5 },
  ]);
  expect(curves({}, [])).toEqual([]);
});

test('a long training is drawn with few points, its end among them', () => {
  const n = 5000;
  const rows = curves({ losses: Array.from({ length: n }, (_, i) => n - i), steps: Array.from({ length: n }, (_, i) => i + 1) }, []);
  expect(rows.length).toBeLessThanOrEqual(402);
  expect(rows.at(-1)).toEqual({ step: n, learned: 1, held: null });
});

test('overfitting is told from learning', () => {
  expect(verdict([at(0, 3), at(5, 1), at(10, 2)], at(5, 1))).toContain('overfitting: it still');
  expect(verdict([at(0, 3), at(5, 2), at(10, 1)], at(10, 1))).toContain('not overfitting');
  expect(verdict([at(0, 3), at(5, 3.5)], at(5, 3.5))).toContain('no better than the base');
  expect(verdict([at(0, 3), at(5, 1), at(10, 1.01)], at(5, 1))).toContain('level since step 5');
  expect(verdict([at(0, 3)], undefined)).toBeNull();
});

test('hyper-parameters in words, without those that are left to the trainer', () => {
  expect(settings({ epochs: 1, learning_rate: 0.004, schedule: 'cosine', rank: 8, alpha: 0, batch_size: 4, eval_ratio: 0.125, patience: 1, targets: ['q_proj', 'v_proj'] })).toEqual([
    '1 epoch',
    'learning rate 0.004, cosine',
    'rank 8',
    'batches of 4',
    '12.5 % held out',
    'stops after 1 check without progress',
    'adds to q_proj, v_proj',
  ]);
  expect(settings({ rank: 8, targets: null })).toEqual(['rank 8']);
});
