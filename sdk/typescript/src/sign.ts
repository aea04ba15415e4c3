/**
 * What accounts sign: statements by EIP-712, requests by EIP-191.
 *
 * A signer is viem's LocalAccount (`privateKeyToAccount(key)`), or anything with its
 * `address`, `signTypedData` and `signMessage`.
 */
import type { components } from './schema.js'
import type { Body } from './transport.js'

type Schemas = components['schemas']
type Hex = `0x${string}`

export interface Signer {
  address: Hex
  signTypedData(data: any): Promise<Hex> // eslint-disable-line @typescript-eslint/no-explicit-any -- viem's own type is generic over the data
  signMessage(message: { message: string }): Promise<Hex>
}

/** The structs of what the contracts check, as in protocol/wire. */
export const types = {
  Contribution: fields('uint64 datanet, bytes32 record, address contributor, string license, uint64 at'),
  ContributionBatch: fields('bytes32 root, uint32 count'),
  Review: fields('uint64 datanet, bytes32 record, string status, string reason, uint64 at'),
  ReviewBatch: fields('bytes32 root, uint32 count'),
  TransferWithAuthorization: fields('address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce'),
  TrainingOrder: fields(
    'address owner, string name, bytes32 base, uint64 datanet, uint32 version, string root, bytes32 hyperHash, uint256 access, uint16 royaltyBps, uint32 revision, bytes32[] parents, bytes32 nonce, uint64 deadline',
  ),
}

function fields(text: string): { name: string; type: string }[] {
  return text.split(', ').map((f) => {
    const [type = '', name = ''] = f.split(' ')
    return { name, type }
  })
}

/** EIP-712 typed data in the network's domain. */
export function typedData(chainID: number, contract: string, primaryType: keyof typeof types, message: Record<string, unknown>) {
  return {
    domain: { name: 'OpenLedger', version: '1', chainId: chainID, verifyingContract: contract as Hex },
    types: { [primaryType]: types[primaryType] },
    primaryType,
    message,
  }
}

/** Signs a statement in the network's domain. */
export function signTyped(signer: Signer, chainID: number, contract: string, primaryType: keyof typeof types, message: Record<string, unknown>): Promise<Hex> {
  return signer.signTypedData(typedData(chainID, contract, primaryType, message))
}

function base64(bytes: Uint8Array): string {
  let s = ''
  for (const b of bytes) s += String.fromCharCode(b)
  return btoa(s)
}

const ofHex = (hex: Hex) => Uint8Array.from(hex.slice(2).match(/../g) ?? [], (b) => parseInt(b, 16))

/** SHA2-256 as 0x-hex: a record's name is that of its canonical bytes. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Hex> {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return `0x${Array.from(sum, (b) => b.toString(16).padStart(2, '0')).join('')}`
}

/**
 * The canonical bytes of a record of named texts. Names and values become Unicode's normal
 * form C; names are in the order of their bytes in UTF-8.
 */
export function textRecord(texts: Record<string, string>): Uint8Array<ArrayBuffer> {
  const normal = new Map(Object.entries(texts).map(([k, v]) => [k.normalize('NFC'), v.normalize('NFC')]))
  if (normal.size !== Object.keys(texts).length) throw new TypeError('two fields have one name')
  const utf8 = new TextEncoder()
  const order = [...normal].sort(([a], [b]) => {
    const [x, y] = [utf8.encode(a), utf8.encode(b)]
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      const d = (x[i] ?? 0) - (y[i] ?? 0)
      if (d !== 0) return d
    }
    return x.length - y.length
  })
  // Not JSON.stringify of an object: it puts names that are numbers first.
  const inner = order.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')
  return utf8.encode(`{"fields":{${inner}},"type":"text"}`)
}

/** The body of `contribute`: one record, signed by its contributor under the datanet's licence. */
export async function contribution(signer: Signer, network: Schemas['Network'], datanet: number, license: string, record: Uint8Array<ArrayBuffer>, at = Date.now()): Promise<Body<'contribute'>> {
  const c = { datanet, record: await digest(record), contributor: signer.address, license, at }
  const signature = await signTyped(signer, network.chain_id, network.contracts['datanets'] ?? '', 'Contribution', { ...c, datanet: BigInt(datanet), at: BigInt(at) })
  return { contribution: c, signature: base64(ofHex(signature)), bytes: base64(record) }
}

/**
 * The body of `contributeBatch`: many records with one signature, over a Merkle tree of
 * theirs. It needs viem.
 */
export async function contributions(signer: Signer, network: Schemas['Network'], datanet: number, license: string, records: Uint8Array<ArrayBuffer>[], at = Date.now()): Promise<Body<'contributeBatch'>> {
  const all: Body<'contributeBatch'>['contributions'] = []
  for (const record of records) {
    all.push({ contribution: { datanet, record: await digest(record), contributor: signer.address, license, at }, bytes: base64(record) })
  }
  const signature = await signBatch(signer, network, 'Contribution', all.map((c) => ({ ...c.contribution, datanet: BigInt(datanet), at: BigInt(at) })))
  return { signature, contributions: all }
}

/** A decision on a record, named by its digest. */
export interface Decision {
  record: string
  status: Schemas['ReviewStatus']
  reason?: string
}

/**
 * The body of `reviewBatch`: many of the owner's decisions with one signature. Where a datanet
 * asks contributors for a stake, a rejection as abusive needs a signature of its own: `review`.
 * It needs viem.
 */
export async function reviews(signer: Signer, network: Schemas['Network'], datanet: number, decisions: Decision[], at = Date.now()): Promise<Body<'reviewBatch'>> {
  const all = decisions.map(({ record, status, reason = '' }) => ({ datanet, record, status, reason, at }))
  const signature = await signBatch(signer, network, 'Review', all.map((r) => ({ ...r, datanet: BigInt(datanet), at: BigInt(at) })))
  return { signature, reviews: all.map((r) => ({ review: r })) }
}

/** Signs the Merkle root of statements: leaf keccak256(0x00 | digest), node keccak256(0x01 | left | right). */
async function signBatch(signer: Signer, network: Schemas['Network'], statement: 'Contribution' | 'Review', messages: Record<string, unknown>[]): Promise<string> {
  const { concat, hashTypedData, keccak256 } = await import('viem')
  if (messages.length === 0) throw new TypeError('there is nothing to sign: a batch has one statement at least')
  const contract = network.contracts['datanets'] ?? ''
  let level: Hex[] = messages.map((m) => keccak256(concat(['0x00', hashTypedData(typedData(network.chain_id, contract, statement, m))])))
  while (level.length > 1) {
    const next: Hex[] = []
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = level.slice(i, i + 2)
      if (left !== undefined) next.push(right === undefined ? left : keccak256(concat(['0x01', left, right])))
    }
    level = next // the last node of an odd level went up as it is
  }
  return base64(ofHex(await signTyped(signer, network.chain_id, contract, `${statement}Batch`, { root: level[0], count: messages.length })))
}

/** The body of `review`: the owner's decision on a record, named by its digest. */
export async function review(signer: Signer, network: Schemas['Network'], datanet: number, record: string, status: Schemas['ReviewStatus'], reason = '', at = Date.now()): Promise<Body<'review'>> {
  const r = { datanet, record, status, reason, at }
  const signature = await signTyped(signer, network.chain_id, network.contracts['datanets'] ?? '', 'Review', { ...r, datanet: BigInt(datanet), at: BigInt(at) })
  return { review: r, signature: base64(ofHex(signature)) }
}

/** What an API key may be used for; times in Unix milliseconds, budgets in wei. */
export interface KeyLimits {
  scopes?: ('inference' | 'training' | 'datanets' | 'read')[]
  models?: string[]
  expires?: number
  requests_per_minute?: number
  tokens_per_minute?: number
  budget?: bigint
  budget_per_day?: bigint
}

/** The body of `createKey`. */
export async function keyRequest(signer: Signer, network: Schemas['Network'], label: string, limits: KeyLimits = {}): Promise<Body<'createKey'>> {
  const at = Date.now()
  const lines = ['Issue an OpenLedger API key', `coordinator: ${network.peer}`, `account: ${signer.address}`, `label: ${label}`, `at: ${at}`]
  for (const name of ['scopes', 'models'] as const) {
    const words = limits[name]
    if (words?.length) lines.push(`${name}: [${words.map((w) => JSON.stringify(w)).join(' ')}]`)
  }
  for (const name of ['expires', 'requests_per_minute', 'tokens_per_minute'] as const) {
    if (limits[name]) lines.push(`${name.replaceAll('_', ' ')}: ${limits[name]}`)
  }
  for (const name of ['budget', 'budget_per_day'] as const) {
    if (limits[name] !== undefined) lines.push(`${name.replaceAll('_', ' ')}: ${limits[name]} wei`)
  }
  const { budget, budget_per_day, ...rest } = limits
  return {
    requester: signer.address,
    label,
    at,
    ...rest,
    ...(budget === undefined ? {} : { budget: String(budget) }),
    ...(budget_per_day === undefined ? {} : { budget_per_day: String(budget_per_day) }),
    signature: await signer.signMessage({ message: lines.join('\n') }),
  }
}

/** The signed part of `listKeys` (List), `revokeKey` (Revoke) and `rotateKey` (Rotate). */
export async function keyAction(signer: Signer, network: Schemas['Network'], action: 'List' | 'Revoke' | 'Rotate', key = `0x${'00'.repeat(32)}`): Promise<Body<'revokeKey'>> {
  const at = Date.now()
  const message = `${action} OpenLedger API keys\ncoordinator: ${network.peer}\naccount: ${signer.address}\nkey: ${key}\nat: ${at}`
  return { at, signature: await signer.signMessage({ message }) }
}
