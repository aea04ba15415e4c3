// What the examples are run against: the addresses and keys of the environment.
//
// OPENLEDGER_API and OPENLEDGER_API_KEY name a network, such as that of `openledger
// devnet`. The other keys are those that the project's own tests make; what needs one is
// skipped where there is none.
import OpenAI from 'openai'

export const api = process.env.OPENLEDGER_API ?? 'http://127.0.0.1:8420'

/** The official client, told nothing but where to ask and with which key. */
export function client(key = process.env.OPENLEDGER_API_KEY) {
  return new OpenAI({ baseURL: `${api}/v1`, apiKey: key, maxRetries: 0 })
}

/** Skips a test whose key there is not. */
export const needs = (variable) => ({ skip: process.env[variable] ? false : `$${variable} is not set` })

/** The network's base model. */
export const base = process.env.OPENLEDGER_MODEL ?? (await client().models.list()).data[0].id
