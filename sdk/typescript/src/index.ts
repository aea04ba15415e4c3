/**
 * A client of OpenLedger's own API: what OpenAI's client does not cover. Methods and types
 * are generated from the API's description; `sign` makes what accounts sign.
 */
import { Operations } from './operations.js'

/** A coordinator. */
export class OpenLedger extends Operations {}

export type { components, operations } from './schema.js'
export { APIError, type Body, type Event, type Options, type Query, type Result, type Settings } from './transport.js'
export { OverMaximum, payingFetch } from './pay.js'
export * as sign from './sign.js'
