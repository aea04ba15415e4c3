// API keys as people see them and write them down.
import type { Draft, Key } from '../chain/keys';
import { wei } from './format';

export type KeyState = 'valid' | 'revoked' | 'expired' | 'spent';

/** Whether a key can be used. */
export function keyState(k: Key, now: number): KeyState {
  if ((k.revoked_at ?? 0) !== 0) return 'revoked';
  if ((k.expires ?? 0) !== 0 && (k.expires ?? 0) <= now) return 'expired';
  if (k.budget !== undefined && BigInt(k.spent) >= BigInt(k.budget)) return 'spent';
  return 'valid';
}

/** What API keys may be used for, and what that means. */
export const keyScopes = [
  { scope: 'inference', means: 'ask models and agents, search and embed' },
  { scope: 'training', means: 'upload training files and order fine-tunes' },
  { scope: 'datanets', means: 'contribute to datanets in your name' },
  { scope: 'read', means: 'see what the key was used for; costs nothing' },
] as const;

export type KeyScope = (typeof keyScopes)[number]['scope'];

/** A new key as it is written into a form. */
export interface KeyForm {
  label: string;
  scopes: KeyScope[];
  /** Names with commas between them; empty: all. */
  models: string;
  /** Days; 0: for ever. */
  days: number;
  requests: string;
  tokens: string;
  budget: string;
  perDay: string;
}

export const newKey: KeyForm = { label: '', scopes: keyScopes.map((s) => s.scope), models: '', days: 90, requests: '', tokens: '', budget: '', perDay: '' };

export type Wrong = Partial<Record<keyof KeyForm, string>>;

const mostPerMinute = 1_000_000_000;

/** What a form asks for, or what is wrong with its fields. A key with all scopes is one without a limit of scopes. */
export function draftOf(f: KeyForm, now: number): { draft: Draft } | { wrong: Wrong } {
  const wrong: Wrong = {};
  const label = f.label.trim();
  const draft: Draft = { label };
  if (label === '') wrong.label = 'Say what the key is for, so that you know it again.';
  else if (new TextEncoder().encode(label).length > 64) wrong.label = 'It may have 64 bytes: shorten it.';
  if (f.scopes.length === 0) wrong.scopes = 'Choose at least one: a key that may do nothing is of no use.';
  else if (f.scopes.length < keyScopes.length) draft.scopes = f.scopes;
  const models = [...new Set(f.models.split(',').map((m) => m.trim()))].filter((m) => m !== '');
  if (models.length > 64) wrong.models = 'A key may name 64 models.';
  else if (models.length > 0) draft.models = models;
  if (f.days > 0) draft.expires = now + f.days * 86_400_000;
  const number = (field: 'requests' | 'tokens'): number | undefined => {
    const text = f[field].trim().replaceAll(',', '');
    if (text === '') return undefined;
    const n = /^\d+$/.test(text) ? Number(text) : 0;
    if (n >= 1 && n <= mostPerMinute) return n;
    wrong[field] = 'Write a whole number from 1, or leave it empty for no limit.';
    return undefined;
  };
  const amount = (field: 'budget' | 'perDay'): string | undefined => {
    if (f[field].trim() === '') return undefined;
    try {
      return wei(f[field]).toString();
    } catch (error) {
      wrong[field] = error instanceof Error ? error.message : String(error);
      return undefined;
    }
  };
  const [requests, tokens, budget, perDay] = [number('requests'), number('tokens'), amount('budget'), amount('perDay')];
  if (requests !== undefined) draft.requests_per_minute = requests;
  if (tokens !== undefined) draft.tokens_per_minute = tokens;
  if (budget !== undefined) draft.budget = budget;
  if (perDay !== undefined) draft.budget_per_day = perDay;
  return Object.keys(wrong).length > 0 ? { wrong } : { draft };
}
