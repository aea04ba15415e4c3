// API keys of an account. Each request about them carries the account's own signature
// (EIP-191) over a text that says what it allows, at which coordinator, and when: no page
// and no cookie can ask for a key in somebody's name. coordinator/api/keys.go has the
// texts; the tests hold both to the same vectors.
import { getAddress, type Hex } from 'viem';
import { api, data, type Schemas } from '../api/client';
import type { Network } from '../wallet/context';
import type { Signer } from '../wallet/wallet';

export type Key = Schemas['Key'];
export type Limits = Pick<Key, 'scopes' | 'models' | 'expires' | 'requests_per_minute' | 'tokens_per_minute' | 'budget' | 'budget_per_day'>;

/** What is asked for: a key's label, and what it may do. */
export interface Draft extends Limits {
  label: string;
}

/** What a list of names is in the text. Go quotes what is not printable in a way of its own, so that is refused. */
function quoted(list: string[]): string {
  for (const s of list) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(s)) throw new Error(`“${s}” has characters that cannot be shown: write the name again.`);
  }
  return `[${list.map((s) => JSON.stringify(s)).join(' ')}]`;
}

/** The text that an account signs to be issued a key. `at` is the time in Unix milliseconds. */
export function keyRequestText(coordinator: string, account: string, d: Draft, at: number): string {
  const lines = ['Issue an OpenLedger API key', `coordinator: ${coordinator}`, `account: ${getAddress(account)}`, `label: ${d.label}`, `at: ${at}`];
  if ((d.scopes ?? []).length > 0) lines.push(`scopes: ${quoted(d.scopes ?? [])}`);
  if ((d.models ?? []).length > 0) lines.push(`models: ${quoted(d.models ?? [])}`);
  for (const [name, n] of [['expires', d.expires], ['requests per minute', d.requests_per_minute], ['tokens per minute', d.tokens_per_minute]] as const) {
    if ((n ?? 0) !== 0) lines.push(`${name}: ${n}`);
  }
  for (const [name, wei] of [['budget', d.budget], ['budget per day', d.budget_per_day]] as const) {
    if (wei !== undefined) lines.push(`${name}: ${wei} wei`);
  }
  return lines.join('\n');
}

const zero = `0x${'0'.repeat(64)}`;

/** The text that an account signs to list its keys, or to revoke or rotate one. */
export function keyActionText(coordinator: string, action: 'List' | 'Revoke' | 'Rotate', account: string, at: number, key = zero): string {
  return [`${action} OpenLedger API keys`, `coordinator: ${coordinator}`, `account: ${getAddress(account)}`, `key: ${key}`, `at: ${at}`].join('\n');
}

/** An account's keys without their secrets, the newest first, for a signed "List". */
export async function listKeys(account: string, at: number, signature: Hex): Promise<Key[]> {
  return (await data(api.POST('/api/v1/keys/list', { body: { account, at, signature } }))).keys;
}

/** A new key, for the signed text of its draft; the secret is given once. */
export async function makeKey(account: string, d: Draft, at: number, signature: Hex): Promise<Schemas['IssuedKey']> {
  return data(api.POST('/api/v1/keys', { body: { ...d, requester: account, at, signature } }));
}

/** Gives a key a new secret, for a signed "Rotate"; the old one ends, and what was spent still counts. */
export async function rotateKey(id: string, at: number, signature: Hex): Promise<Schemas['IssuedKey']> {
  return data(api.POST('/api/v1/keys/{id}/rotate', { params: { path: { id } }, body: { at, signature } }));
}

/** Ends a key, for a signed "Revoke". */
export async function revokeKey(id: string, at: number, signature: Hex): Promise<Key> {
  return data(api.POST('/api/v1/keys/{id}/revoke', { params: { path: { id } }, body: { at, signature } }));
}

/** Signs for a key and asks for it. */
export async function issueKey(network: Network, signer: Signer, d: Draft): Promise<string> {
  const at = Date.now();
  const account = signer.account.address;
  const signature = await signer.signMessage({ message: keyRequestText(network.peer, account, d, at) });
  return (await makeKey(account, d, at, signature)).key;
}
