/**
 * Payments of single requests by HTTP 402 (x402), in the place of an API key.
 *
 *     const fetch = payingFetch(account, network, 10n ** 16n)
 *     new OpenAI({ baseURL: `${net.baseURL}/v1`, apiKey: 'x402', fetch, maxRetries: 0 })
 *
 * The account has deposited in the escrow and let the coordinator's session key spend.
 */
import type { components } from './schema.js'
import { digest, signTyped, type Signer } from './sign.js'

type Network = components['schemas']['Network']
type Terms = components['schemas']['PaymentTerms']

/** A request may cost more than is left of the maximum: nothing was signed for it. */
export class OverMaximum extends Error {}

const read = (header: string) => JSON.parse(atob(header))
const bytesOf = (hex: string) => Uint8Array.from(hex.slice(2).match(/../g) ?? [], (b) => parseInt(b, 16))

/**
 * A fetch that signs a payment of each request that is answered with 402, and sends it
 * again. Only payments from the network's escrow to its coordinator are signed, each good
 * for its one request, and all together for `maximum` wei. What an answer did not cost
 * counts again; a stream's counts in full.
 */
export function payingFetch(signer: Signer, network: Network, maximum: bigint, send: typeof fetch = fetch): typeof fetch {
  let spent = 0n
  return async (input, init) => {
    const request = new Request(input, init)
    const body = new Uint8Array(await request.arrayBuffer())
    const headers = new Headers(request.headers)
    headers.delete('Authorization')
    const ask = () => send(request.url, { method: request.method, headers, signal: request.signal, ...(body.length > 0 && { body }) })
    const first = await ask()
    const header = first.headers.get('PAYMENT-REQUIRED')
    if (first.status !== 402 || header === null) return first
    await first.body?.cancel()
    const required = read(header)
    const chain = `eip155:${network.chain_id}`
    const escrow = network.contracts['escrow'] ?? ''
    const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
    const terms = (required.accepts as Terms[]).find((t) => t.scheme === 'exact' && t.network === chain && same(t.asset, escrow) && same(t.payTo, network.session_key))
    if (terms === undefined) throw new Error(`the coordinator takes no payment from the escrow ${escrow} on ${chain} to ${network.session_key}`)
    const value = BigInt(terms.amount)
    if (spent + value > maximum) throw new OverMaximum(`this request may cost ${value} wei, and ${maximum - spent} of the maximum are left: ask for fewer tokens, or allow more`)
    spent += value
    headers.set('PAYMENT-SIGNATURE', await payment(signer, network, required.resource, terms, request, body))
    const answer = await ask()
    const told = answer.headers.get('PAYMENT-RESPONSE')
    const result = told === null ? {} : read(told)
    spent -= value - (result.success === false ? 0n : BigInt(result.amount ?? value))
    return answer
  }
}

/** The header PAYMENT-SIGNATURE: a payment of the terms, good for this request only. */
async function payment(signer: Signer, network: Network, resource: unknown, terms: Terms, request: Request, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const start = new TextEncoder().encode(`${request.method} ${new URL(request.url).pathname}\n`)
  const what = bytesOf(await digest(new Uint8Array([...start, ...body])))
  const salt = crypto.getRandomValues(new Uint8Array(32))
  const nonce = await digest(new Uint8Array([...salt, ...what]))
  const now = BigInt(Math.floor(Date.now() / 1000))
  const message = { from: signer.address, to: network.session_key, value: BigInt(terms.amount), validAfter: now - 600n, validBefore: now + BigInt(terms.maxTimeoutSeconds), nonce }
  const signature = await signTyped(signer, network.chain_id, terms.asset, 'TransferWithAuthorization', message)
  const authorization = Object.fromEntries(Object.entries(message).map(([k, v]) => [k, String(v)]))
  const hex = Array.from(salt, (b) => b.toString(16).padStart(2, '0')).join('')
  return btoa(JSON.stringify({ x402Version: 2, resource, accepted: terms, payload: { signature, authorization, salt: `0x${hex}` } }))
}
