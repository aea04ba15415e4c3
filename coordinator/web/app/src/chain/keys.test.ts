import { expect, it } from 'vitest';
import vector from '../../../../api/testdata/key_request.json';
import { type Draft, keyActionText, keyRequestText } from './keys';

const { texts, coordinator, requester, at, key, ...limits } = vector;
const draft = limits as Draft;

// The coordinator's tests read the same file.
it('writes the texts that the coordinator checks', () => {
  // Wallets give accounts in lower case.
  const account = requester.toLowerCase();
  expect(keyRequestText(coordinator, account, draft, at)).toBe(texts.request);
  expect(keyRequestText(coordinator, account, { label: draft.label }, at)).toBe(texts.unlimited);
  expect(keyActionText(coordinator, 'List', account, at)).toBe(texts.list);
  expect(keyActionText(coordinator, 'Revoke', account, at, key)).toBe(texts.revoke);
  expect(keyActionText(coordinator, 'Rotate', account, at, key)).toBe(texts.rotate);
});

it('signs nothing that could not be read', () => {
  expect(() => keyRequestText(coordinator, requester, { label: '', models: ['facts\u202e'] }, at)).toThrow('cannot be shown');
});
