// Models, text completions and embeddings.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base, client } from './setting.js'

const c = client()

test('models have their provenance', async () => {
  const listed = []
  for await (const m of c.models.list()) listed.push(m)
  const one = await c.models.retrieve(base)
  assert.deepEqual(
    one,
    listed.find((m) => m.id === base),
  )
  assert.match(one.openledger.base, /^0x[0-9a-f]{64}$/)
})

test('a completion whole and streamed', async () => {
  const asked = { model: base, prompt: 'Once upon a time', max_tokens: 8, seed: 3 }
  const whole = await c.completions.create({ ...asked, logprobs: 1 })
  assert.equal(whole.choices[0].logprobs.tokens.length, whole.usage.completion_tokens)
  let text = ''
  for await (const chunk of await c.completions.create({ ...asked, stream: true })) text += chunk.choices[0].text
  assert.equal(text, whole.choices[0].text)
})

test('several at once', async () => {
  const answers = await Promise.all(
    [0, 1, 2, 3].map((seed) => c.completions.create({ model: base, prompt: 'Once', max_tokens: 3, seed })),
  )
  assert.equal(new Set(answers.map((a) => a.usage.receipt)).size, 4)
})

test('embeddings are of length one', async () => {
  const input = ['The hare', 'The tortoise']
  const got = await c.embeddings.create({ model: base, input }) // base64 on the way
  const plain = await c.embeddings.create({ model: base, input, encoding_format: 'float' })
  assert.deepEqual(
    got.data.map((e) => e.embedding),
    plain.data.map((e) => e.embedding.map(Math.fround)),
  )
  for (const e of got.data) assert.ok(Math.abs(Math.hypot(...e.embedding) - 1) < 1e-4)
})
