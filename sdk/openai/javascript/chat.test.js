// Chats: whole, streamed, with tools, held to a schema, with log-probabilities.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { base, client } from './setting.js'

const c = client()
const messages = [
  { role: 'developer', content: 'Be brief.' },
  { role: 'user', content: 'Who won the race?' },
]
const ask = (more = {}) =>
  c.chat.completions.create({ model: base, messages, max_tokens: 12, temperature: 0, ...more })

const weather = {
  type: 'function',
  function: {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { place: { enum: ['Oslo', 'Rome'] }, days: { enum: [1, 2, 3] } },
      required: ['place', 'days'],
      additionalProperties: false,
    },
  },
}

test('an answer has its usage, fee and receipt', async () => {
  const answer = await ask()
  const { usage } = answer
  assert.equal(answer.object, 'chat.completion')
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
  assert.ok(BigInt(usage.fee) > 0n) // wei; not OpenAI's, and kept by the client
  assert.match(usage.receipt, /^0x[0-9a-f]{64}$/)
})

test('a stream brings the same text', async () => {
  const whole = await ask({ temperature: 1, seed: 7 })
  let text = ''
  let usage
  for await (const chunk of await ask({ temperature: 1, seed: 7, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage ?? usage
  }
  assert.equal(text, whole.choices[0].message.content)
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens)
})

test('the stream helper adds up', async () => {
  const stream = c.chat.completions.stream({ model: base, messages, max_tokens: 8, temperature: 0 })
  let text = ''
  stream.on('content', (delta) => (text += delta))
  const final = await stream.finalChatCompletion()
  assert.equal(final.choices[0].message.content, text)
})

test('who leaves a stream in its middle leaves a server that goes on', async () => {
  const stream = await ask({ temperature: 2, seed: 5, max_tokens: 200, stream: true })
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) break
  }
  stream.controller.abort()
  assert.equal((await ask()).object, 'chat.completion')
})

test('log-probabilities spell the answer', async () => {
  const answer = await ask({ logprobs: true, top_logprobs: 2 })
  const tokens = answer.choices[0].logprobs.content
  assert.equal(tokens.length, answer.usage.completion_tokens)
  assert.equal(Buffer.from(tokens.flatMap((t) => t.bytes ?? [])).toString(), answer.choices[0].message.content)
})

test('a schema holds the answer', async () => {
  const answer = await ask({
    max_tokens: 120,
    response_format: {
      type: 'json_schema',
      json_schema: {
        name: 'animal',
        schema: {
          type: 'object',
          properties: { kind: { enum: ['hare', 'tortoise'] }, legs: { const: 4 } },
          required: ['kind', 'legs'],
          additionalProperties: false,
        },
      },
    },
  })
  assert.equal(JSON.parse(answer.choices[0].message.content).legs, 4)
})

test('a required tool is called and answered', async () => {
  const question = { role: 'user', content: 'Weather?' }
  const first = await ask({ messages: [question], tools: [weather], tool_choice: 'required', max_tokens: 200 })
  assert.equal(first.choices[0].finish_reason, 'tool_calls')
  const [call] = first.choices[0].message.tool_calls
  assert.equal(call.function.name, 'weather')
  assert.ok(['Oslo', 'Rome'].includes(JSON.parse(call.function.arguments).place))
  const second = await ask({
    messages: [question, first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'rain' }],
    tools: [weather],
    max_tokens: 4,
  })
  assert.ok(second.usage.prompt_tokens > first.usage.prompt_tokens)
})

test('an idempotency key is paid once', async () => {
  const once = () => c.chat.completions.create({ model: base, messages, max_tokens: 6 }, { headers: { 'Idempotency-Key': 'javascript' } })
  assert.equal((await once()).usage.receipt, (await once()).usage.receipt)
})

test('what is not supported is refused by name', async () => {
  for (const [param, value] of Object.entries({ n: 2, temperature: 3, max_tokens: 0 })) {
    await assert.rejects(ask({ [param]: value }), (e) => e instanceof OpenAI.BadRequestError && e.param === param)
  }
})
