import { expect, it } from 'vitest';
import { hyperJSON } from '../../wallet/hyper';
import { check, fieldOf, hyperOf, type Options, type Plan, planOf } from './plan';

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

it('finds the field that a refusal is about', () => {
  expect(fieldOf('hyper.learning_rate')).toBe('rate');
  expect(fieldOf('eval_ratio')).toBe('evalShare');
  expect(fieldOf('version')).toBe('version');
  expect(fieldOf('signature')).toBeNull();
  expect(fieldOf(null)).toBeNull();
});
