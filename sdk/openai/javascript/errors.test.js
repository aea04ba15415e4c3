// Every refusal arrives as the client's own error, with its code and parameter.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'
import { base, client, needs } from './setting.js'

const ask = (c, more = {}) => c.completions.create({ model: base, prompt: 'Hi', max_tokens: 2, ...more })

async function refused(call, kind, code, param) {
  let error
  await assert.rejects(call, (e) => {
    error = e
    assert.ok(e instanceof kind, `${e}`)
    assert.deepEqual([e.code, e.param], [code, param], e.message)
    assert.match(e.requestID, /^req_/)
    return true
  })
  return error
}

test('a wrong key', () => refused(client('ol-wrong').models.list(), OpenAI.AuthenticationError, 'invalid_api_key', 'api_key'))

test('an expired key', needs('OPENLEDGER_EXPIRING_KEY'), async () => {
  const c = client(process.env.OPENLEDGER_EXPIRING_KEY)
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(200)) {
    const gone = await c.models.list().then(() => false, () => true)
    if (gone) break
  }
  await refused(c.models.list(), OpenAI.AuthenticationError, 'invalid_api_key', 'api_key')
})

test('an unknown model', async () => {
  await refused(ask(client(), { model: 'nobody' }), OpenAI.NotFoundError, 'model_not_found', 'model')
  await refused(client().models.retrieve('nobody'), OpenAI.NotFoundError, 'model_not_found', 'model')
})

test('bad parameters', async () => {
  for (const [param, value] of Object.entries({ top_p: 2, max_tokens: -1, seed: 'x', best_of: 3, suffix: 'end' })) {
    await refused(ask(client(), { [param]: value }), OpenAI.BadRequestError, 'invalid', param)
  }
})

test('a refusal before a stream has its status', () =>
  refused(ask(client(), { top_p: 2, stream: true }), OpenAI.BadRequestError, 'invalid', 'top_p'))

test('a key for something else', needs('OPENLEDGER_READ_KEY'), () =>
  refused(ask(client(process.env.OPENLEDGER_READ_KEY)), OpenAI.PermissionDeniedError, 'insufficient_scope', 'api_key'))

test('a budget that is spent', needs('OPENLEDGER_POOR_KEY'), async () => {
  const e = await refused(ask(client(process.env.OPENLEDGER_POOR_KEY)), OpenAI.APIError, 'insufficient_escrow', 'api_key')
  assert.equal(e.status, 402)
})

test('rate limits', needs('OPENLEDGER_LIMITED_KEY'), async () => {
  const c = client(process.env.OPENLEDGER_LIMITED_KEY) // two requests a minute
  for (const left of ['1', '0']) {
    const { response } = await c.models.list().withResponse()
    assert.equal(response.headers.get('x-ratelimit-limit-requests'), '2')
    assert.equal(response.headers.get('x-ratelimit-remaining-requests'), left)
  }
  const e = await refused(c.models.list(), OpenAI.RateLimitError, 'rate_limit_exceeded', 'api_key')
  assert.ok(Number(e.headers.get('retry-after')) > 0)
})
