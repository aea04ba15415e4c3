// What accounts sign (EIP-712), as protocol/wire has it; the tests hold both to the same
// vectors. A batch is one signature over many contributions or reviews: the Merkle tree
// that protocol/wire/batch.go describes.
import { type Address, bytesToHex, concat, hashTypedData, type Hex, hexToBytes, keccak256, numberToHex, type TypedDataDomain } from 'viem';
import type { Schemas } from '../api/client';
import type { Signer } from './wallet';

const types = {
  Contribution: [
    { name: 'datanet', type: 'uint64' },
    { name: 'record', type: 'bytes32' },
    { name: 'contributor', type: 'address' },
    { name: 'license', type: 'string' },
    { name: 'at', type: 'uint64' },
  ],
  Review: [
    { name: 'datanet', type: 'uint64' },
    { name: 'record', type: 'bytes32' },
    { name: 'status', type: 'string' },
    { name: 'reason', type: 'string' },
    { name: 'at', type: 'uint64' },
  ],
  Batch: [
    { name: 'root', type: 'bytes32' },
    { name: 'count', type: 'uint32' },
  ],
  AgentOrder: [
    { name: 'owner', type: 'address' },
    { name: 'agent', type: 'uint64' },
    { name: 'version', type: 'uint32' },
    { name: 'name', type: 'string' },
    { name: 'manifest', type: 'string' },
    { name: 'price', type: 'uint256' },
    { name: 'deadline', type: 'uint64' },
  ],
  TrainingOrder: [
    { name: 'owner', type: 'address' },
    { name: 'name', type: 'string' },
    { name: 'base', type: 'bytes32' },
    { name: 'datanet', type: 'uint64' },
    { name: 'version', type: 'uint32' },
    { name: 'root', type: 'string' },
    { name: 'hyperHash', type: 'bytes32' },
    { name: 'access', type: 'uint256' },
    { name: 'royaltyBps', type: 'uint16' },
    { name: 'revision', type: 'uint32' },
    { name: 'parents', type: 'bytes32[]' },
    { name: 'nonce', type: 'bytes32' },
    { name: 'deadline', type: 'uint64' },
  ],
} as const;

/** The domain of typed data: the chain, and the contract that checks it. */
export function domain(chainID: number, contract: string): TypedDataDomain {
  return { name: 'OpenLedger', version: '1', chainId: chainID, verifyingContract: contract as Address };
}

export interface Contribution {
  datanet: bigint | number;
  record: string;
  contributor: string;
  license: string;
  at: bigint | number;
}

export interface Review {
  datanet: bigint | number;
  record: string;
  status: Schemas['ReviewStatus'];
  reason?: string;
  at: bigint | number;
}

/** An order as the API takes it, with room for what 53 bits do not hold. */
export type Order = Omit<Schemas['TrainingOrder'], 'datanet' | 'deadline'> & { datanet: bigint | number; deadline: bigint | number };

const ofContribution = (d: TypedDataDomain, c: Contribution) =>
  ({
    domain: d,
    types: { Contribution: types.Contribution },
    primaryType: 'Contribution',
    message: { datanet: BigInt(c.datanet), record: c.record as Hex, contributor: c.contributor as Address, license: c.license, at: BigInt(c.at) },
  }) as const;

const ofReview = (d: TypedDataDomain, r: Review) =>
  ({
    domain: d,
    types: { Review: types.Review },
    primaryType: 'Review',
    message: { datanet: BigInt(r.datanet), record: r.record as Hex, status: r.status, reason: r.reason ?? '', at: BigInt(r.at) },
  }) as const;

const ofOrder = (d: TypedDataDomain, o: Order) =>
  ({
    domain: d,
    types: { TrainingOrder: types.TrainingOrder },
    primaryType: 'TrainingOrder',
    message: {
      owner: o.owner as Address,
      name: o.name,
      base: o.base as Hex,
      datanet: BigInt(o.datanet),
      version: o.version,
      root: o.root,
      hyperHash: o.hyper_hash as Hex,
      access: BigInt(o.access),
      royaltyBps: o.royalty_bps ?? 0,
      revision: o.revision,
      parents: (o.parents ?? []) as Hex[],
      nonce: o.nonce as Hex,
      deadline: BigInt(o.deadline),
    },
  }) as const;

/** An order to publish a version of an agent (0: of a new one), until a time in Unix seconds. */
export interface AgentOrder {
  owner: string;
  agent: bigint | number;
  version: number;
  name: string;
  manifest: string;
  price: bigint;
  deadline: bigint | number;
}

const ofAgent = (d: TypedDataDomain, o: AgentOrder) =>
  ({
    domain: d,
    types: { AgentOrder: types.AgentOrder },
    primaryType: 'AgentOrder',
    message: { ...o, owner: o.owner as Address, agent: BigInt(o.agent), deadline: BigInt(o.deadline) },
  }) as const;

export const agentDigest = (d: TypedDataDomain, o: AgentOrder): Hex => hashTypedData(ofAgent(d, o));
export const contributionDigest = (d: TypedDataDomain, c: Contribution): Hex => hashTypedData(ofContribution(d, c));
export const reviewDigest = (d: TypedDataDomain, r: Review): Hex => hashTypedData(ofReview(d, r));
export const orderDigest = (d: TypedDataDomain, o: Order): Hex => hashTypedData(ofOrder(d, o));

/** A signature with v in {27, 28}, the one form that the network takes. */
function canonical(signature: Hex): Hex {
  const b = hexToBytes(signature);
  const v = b[64];
  if (b.length === 65 && v !== undefined && v < 27) b[64] = v + 27;
  return bytesToHex(b);
}

export async function signOrder(signer: Signer, d: TypedDataDomain, o: Order): Promise<Hex> {
  return canonical(await signer.signTypedData(ofOrder(d, o)));
}

export async function signAgentOrder(signer: Signer, d: TypedDataDomain, o: AgentOrder): Promise<Hex> {
  return canonical(await signer.signTypedData(ofAgent(d, o)));
}

/** A tree over the digests of statements that are signed together. */
export interface Batch {
  root: Hex;
  count: number;
  /** The i-th statement's signature, given the batch's. */
  signature: (batch: Hex, i: number) => Hex;
}

export function batchOf(digests: Hex[]): Batch {
  if (digests.length === 0) throw new Error('Nothing was chosen to be signed.');
  let level = digests.map((d) => keccak256(concat(['0x00', d])));
  const levels = [level];
  while (level.length > 1) {
    const next: Hex[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i];
      const right = level[i + 1];
      if (left !== undefined) next.push(right === undefined ? left : keccak256(concat(['0x01', left, right])));
    }
    level = next;
    levels.push(level);
  }
  const root = level[0];
  if (root === undefined) throw new Error('a tree has a root');
  return {
    root,
    count: digests.length,
    signature(batch, i) {
      const parts: Hex[] = [batch, numberToHex(digests.length, { size: 4 }), numberToHex(i, { size: 4 })];
      let at = i;
      for (const l of levels.slice(0, -1)) {
        const sibling = l[at ^ 1];
        if (sibling !== undefined) parts.push(sibling);
        at >>= 1;
      }
      return concat(parts);
    },
  };
}

type Kind = 'ContributionBatch' | 'ReviewBatch';

const ofBatch = (d: TypedDataDomain, kind: Kind, b: Batch) => ({
  domain: d,
  types: { [kind]: types.Batch },
  primaryType: kind,
  message: { root: b.root, count: b.count },
});

export const batchDigest = (d: TypedDataDomain, kind: Kind, b: Batch): Hex => hashTypedData(ofBatch(d, kind, b));

/** Signs many contributions at once; gives the signature of each, in their order. */
export async function signContributions(signer: Signer, d: TypedDataDomain, list: Contribution[]): Promise<Hex[]> {
  return signAll(signer, d, 'ContributionBatch', batchOf(list.map((c) => contributionDigest(d, c))));
}

/** Signs many reviews at once; gives the signature of each, in their order. */
export async function signReviews(signer: Signer, d: TypedDataDomain, list: Review[]): Promise<Hex[]> {
  return signAll(signer, d, 'ReviewBatch', batchOf(list.map((r) => reviewDigest(d, r))));
}

async function signAll(signer: Signer, d: TypedDataDomain, kind: Kind, b: Batch): Promise<Hex[]> {
  const signature = canonical(await signer.signTypedData(ofBatch(d, kind, b)));
  return Array.from({ length: b.count }, (_, i) => b.signature(signature, i));
}

/** Bytes in hex as base64, which signed documents carry in JSON. */
export function base64(hex: Hex): string {
  return btoa(Array.from(hexToBytes(hex), (b) => String.fromCharCode(b)).join(''));
}

/** A random hash: an id, or a nonce. */
export function randomHash(): Hex {
  return bytesToHex(crypto.getRandomValues(new Uint8Array(32)));
}
