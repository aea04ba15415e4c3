import { expect, it } from 'vitest';
import { hyperJSON } from '../../wallet/hyper';
import { check, hyperOf, type Options, paceOf, type Plan, planOf, stepsOf } from './plan';

const options: Options = {
  base: `0x${'11'.repeat(32)}`,
  base_name: 'tiny',
  defaults: { rank: 16, alpha: 64, targets: ['q_proj', 'v_proj'], learning_rate: 0.004, epochs: 40, batch_size: 16, max_length: 512, warmup_ratio: 0.05 },
  targets: ['q_proj', 'k_proj', 'v_proj'],
  schedules: ['cosine', 'linear'],
  limits: { rank: 256, epochs: 1000, batch: 1024, eval_ratio: 0.5, patience: 1000 },
};
const good: Plan = { ...planOf(options), name: 'my-adapter', datanet: 1, version: 1, prompt: 'Say {title}', answer: '{lesson}' };

it('takes the defaults with a name, a datanet and templates', () => {
  expect(check(good, options)).toEqual({});
  expect(hyperJSON(hyperOf(good, options))).toContain('"rank":16,"alpha":64,"targets":["q_proj","v_proj"],"learning_rate":0.004');
});

it.each([
  ['name', 'My Adapter'],
  ['prompt', '{title'],
  ['answer', 'always this'],
  ['price', '-1'],
  ['rank', '257'],
  ['alpha', '0'],
  ['rate', '2'],
  ['batch', '0'],
  ['epochs', '1.5'],
  ['maxLength', '1'],
  ['evalShare', '51'],
  ['evalShare', ''],
  ['patience', '3'],
] as const)('names %s where it is %j', (field, value) => {
  expect(Object.keys(check({ ...good, [field]: value }, options))).toEqual([field]);
});

it('scales alpha with the rank, unless it is given', () => {
  expect(hyperOf({ ...good, rank: '8' }, options).alpha).toBe(32);
  expect(hyperOf({ ...good, rank: '8', alpha: '5' }, options).alpha).toBe(5);
});

it('counts steps over what is not held out', () => {
  expect(stepsOf(good, 146)).toBe(400);
  expect(stepsOf({ ...good, evalShare: '50', epochs: '1' }, 146)).toBe(5);
});

it('judges by the middle of what trainings took', () => {
  const job = (seconds: number, steps: number) => ({ result: { seconds, steps } }) as Parameters<typeof paceOf>[0][number];
  expect(paceOf([])).toBeNull();
  expect(paceOf([job(10, 10), job(90, 10), job(20, 10)])).toBe(2000);
});
