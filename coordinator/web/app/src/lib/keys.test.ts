import { describe, expect, it } from 'vitest';
import type { Key } from '../chain/keys';
import { draftOf, keyState, newKey } from './keys';

const now = 1_795_290_000_000;

describe('the form of a key', () => {
  it('asks for no limit that was not written', () => {
    expect(draftOf({ ...newKey, label: ' laptop ', days: 0 }, now)).toEqual({ draft: { label: 'laptop' } });
  });
  it('asks for each limit', () => {
    const form = { label: 'agent', scopes: ['inference' as const], models: 'facts, tales,facts', days: 1, requests: '60', tokens: '9,000', budget: '5', perDay: '0.5' };
    expect(draftOf(form, now)).toEqual({
      draft: {
        label: 'agent',
        scopes: ['inference'],
        models: ['facts', 'tales'],
        expires: now + 86_400_000,
        requests_per_minute: 60,
        tokens_per_minute: 9000,
        budget: '5000000000000000000',
        budget_per_day: '500000000000000000',
      },
    });
  });
  it('says what is wrong at each field', () => {
    const form = { ...newKey, label: 'é'.repeat(33), scopes: [], models: Array.from({ length: 65 }, (_, i) => `m${i}`).join(), requests: '0', tokens: '1.5', budget: 'much', perDay: '-1' };
    const got = draftOf(form, now);
    expect('wrong' in got ? Object.keys(got.wrong).sort() : got).toEqual(['budget', 'label', 'models', 'perDay', 'requests', 'scopes', 'tokens']);
    expect(draftOf(newKey, now)).toHaveProperty('wrong.label');
  });
});

it('says whether a key can be used', () => {
  const k: Key = { id: '0x', account: '0x', label: '', created_at: 1, spent: '5', spent_today: '0' };
  expect(keyState(k, now)).toBe('valid');
  expect(keyState({ ...k, expires: now + 1, budget: '6' }, now)).toBe('valid');
  expect(keyState({ ...k, expires: now }, now)).toBe('expired');
  expect(keyState({ ...k, budget: '5' }, now)).toBe('spent');
  expect(keyState({ ...k, budget: '5', expires: 1, revoked_at: 2 }, now)).toBe('revoked');
});
