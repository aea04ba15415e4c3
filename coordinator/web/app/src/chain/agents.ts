// What pages call of AgentRegistry, and what an agent's owner signs.
import { type Address, bytesToHex, encodeFunctionData, type Hex, parseAbi, parseEventLogs, type PublicClient, sha256 } from 'viem';
import { api, data } from '../api/client';
import { without } from '../lib/agents';
import { digestOf } from '../lib/cid';
import type { Network } from '../wallet/context';
import { type AgentOrder, base64, domain, signAgentOrder } from '../wallet/typed';
import type { Signer } from '../wallet/wallet';
import { contract } from './contract';
import type { Call } from './transact';

export const agentsAbi = parseAbi([
  'struct AgentOrder { address owner; uint64 agent; uint32 version; string name; string manifest; uint256 price; uint64 deadline; }',
  'function publish(AgentOrder order, bytes signature) payable returns (uint64)',
  'function setActive(uint64 agent, bool active)',
  'function stake(uint64 agent) payable',
  'event VersionPublished(uint64 indexed agent, uint32 indexed version, bytes32 indexed digest, string manifest, uint256 price)',
]);

const registry = (network: Network): Address => contract(network, 'agents');

/** Offers an agent, or retires it. */
export function setActive(network: Network, agent: number, active: boolean): Call {
  return { to: registry(network), data: encodeFunctionData({ abi: agentsAbi, functionName: 'setActive', args: [BigInt(agent), active] }) };
}

/** Adds to an agent's stake. */
export function stakeOn(network: Network, agent: number, amount: bigint): Call {
  return { to: registry(network), value: amount, data: encodeFunctionData({ abi: agentsAbi, functionName: 'stake', args: [BigInt(agent)] }) };
}

export function publish(network: Network, o: AgentOrder, signature: Hex, stake: bigint): Call {
  const order = { owner: o.owner as Address, agent: BigInt(o.agent), version: o.version, name: o.name, manifest: o.manifest, price: o.price, deadline: BigInt(o.deadline) };
  return { to: registry(network), value: stake, data: encodeFunctionData({ abi: agentsAbi, functionName: 'publish', args: [order, signature] }) };
}

/** The agent whose version a transaction published. */
async function published(reader: PublicClient, hash: Hex): Promise<number> {
  const { logs } = await reader.getTransactionReceipt({ hash });
  const [version] = parseEventLogs({ abi: agentsAbi, logs, eventName: 'VersionPublished' });
  if (version === undefined) throw new Error(`Transaction ${hash} published no agent.`);
  return Number(version.args.agent);
}

/** What a manifest says, as people write it. */
export type Manifest = Record<string, unknown> & { name: string; price: string };

/**
 * Refuses canonical bytes that are not what they are said to be: of another manifest, or
 * under another name. What is signed is what was written, whoever put it into form.
 */
export function checkDraft(m: Manifest, owner: string, bytes: Uint8Array, cid: string): void {
  const got = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  const { owner: says, format } = got;
  const same = (a: unknown, b: unknown): boolean => {
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((k) => same((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k]));
  };
  if (sha256(bytes) !== digestOf(cid) || typeof says !== 'string' || says.toLowerCase() !== owner.toLowerCase() || typeof format !== 'string' || !same(without(got, 'owner', 'format'), without(m, 'owner', 'format'))) {
    throw new Error('The coordinator gave back another manifest than the one that was written. Nothing was signed; use another coordinator.');
  }
}

/** An hour: how long a signed order may be brought to the chain. */
const lasts = 3600;

/**
 * Signs a manifest and publishes it: a new agent (id 0), or the next version of one. The
 * coordinator keeps the manifest, so that others find it.
 */
export async function publishAgent(network: Network, signer: Signer, reader: PublicClient, transact: (c: Call) => Promise<Hex>, m: Manifest, id: number, version: number, stake: bigint): Promise<number> {
  const owner = signer.account.address;
  const draft = await data(api.POST('/api/v1/agents/manifest', { body: { owner, manifest: m } }));
  const bytes = Uint8Array.from(atob(draft.bytes), (c) => c.charCodeAt(0));
  checkDraft(m, owner, bytes, draft.cid);
  const order = { owner, agent: id, version, name: m.name, manifest: draft.cid, price: BigInt(m.price), deadline: Math.floor(Date.now() / 1000) + lasts };
  const signature = await signAgentOrder(signer, domain(network.chain_id, registry(network)), order);
  const agent = await published(reader, await transact(publish(network, order, signature, stake)));
  await storeManifest(agent, version, bytes);
  return agent;
}

async function storeManifest(id: number, version: number, bytes: Uint8Array): Promise<void> {
  await data(api.POST('/api/v1/agents/{id}/versions/{version}/manifest', { params: { path: { id, version } }, body: { bytes: base64(bytesToHex(bytes)) } }));
}

