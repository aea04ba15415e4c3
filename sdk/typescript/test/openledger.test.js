// The client against a network: examples, and what they promise. OPENLEDGER_API and
// OPENLEDGER_API_KEY name a network such as that of `openledger devnet`,
// OPENLEDGER_DATANET a datanet of it that takes contributions of anybody.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { APIError, OpenLedger, OverMaximum, payingFetch, sign } from 'openledger'

const model = process.env.OPENLEDGER_MODEL ?? 'openledger-tiny'
const datanet = Number(process.env.OPENLEDGER_DATANET ?? 1)
const net = new OpenLedger({ baseURL: process.env.OPENLEDGER_API, apiKey: process.env.OPENLEDGER_API_KEY })
const network = await net.getNetwork()

test('who works here', async () => {
  assert.equal(network.base_name, model)
  const { workers } = await net.listWorkers()
  assert.ok(workers[0].decode_tps > 0)
  assert.ok((await net.listAllModels()).models.some((m) => m.id === model))
})

test('records are contributed one by one and together', async () => {
  const me = privateKeyToAccount(generatePrivateKey())
  const { license } = await net.getDatanet(datanet)
  const record = sign.textRecord({ title: 'Grüße <&>\u2028', 2: 'b', 10: me.address })
  const taken = await net.contribute(datanet, await sign.contribution(me, network, datanet, license, record))
  assert.equal(taken.status, 'pending')
  assert.equal(taken.bytes, record.length)

  const records = [0, 1, 2, 3, 4].map((i) => sign.textRecord({ fact: `${i} of ${me.address}` }))
  const results = await net.contributeBatch(datanet, await sign.contributions(me, network, datanet, license, records))
  assert.deepEqual([results.failed, results.results.length], [0, 5], JSON.stringify(results))

  await assert.rejects(
    net.contribute(datanet, await sign.contribution(me, network, datanet, 'X', sign.textRecord({ a: me.address }))),
    (e) => e instanceof APIError && e.status === 400 && e.param === 'license',
  )
})

test('a number that would lose digits is not sent', async () => {
  await assert.rejects(net.quote({ kind: 'training', datanet: 2n ** 53n + 1n, version: 1 }), /datanet: 9007199254740993 is more than a JavaScript number holds/)
})

test('a key is issued, listed, rotated and revoked', async () => {
  const me = privateKeyToAccount(generatePrivateKey())
  const limits = { scopes: ['read', 'inference'], budget: 10n ** 18n, requests_per_minute: 5 }
  const issued = await net.createKey(await sign.keyRequest(me, network, 'sdk "é"', limits))
  const { keys } = await net.listKeys({ account: me.address, ...(await sign.keyAction(me, network, 'List')) })
  assert.deepEqual([keys.length, keys[0].id, keys[0].label], [1, issued.id, 'sdk "é"'])
  await net.rotateKey(issued.id, await sign.keyAction(me, network, 'Rotate', issued.id))
  assert.equal((await net.revokeKey(issued.id, await sign.keyAction(me, network, 'Revoke', issued.id))).id, issued.id)
})

test('a request is paid for itself', async () => {
  const me = privateKeyToAccount(generatePrivateKey()) // with nothing in the escrow: the payment is good, the money is missing
  const ask = (max) =>
    payingFetch(me, network, max)(`${net.baseURL}/v1/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer x402' },
      body: JSON.stringify({ model, prompt: 'Ünce', max_tokens: 4 }),
    })
  const res = await ask(10n ** 18n)
  const { error } = await res.json()
  assert.deepEqual([res.status, error.code], [402, 'insufficient_funds'], error.message)
  await assert.rejects(ask(1n), OverMaximum)
})

test('an answer, its receipt, and whose records it rests on', async () => {
  const res = await fetch(`${net.baseURL}/v1/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.OPENLEDGER_API_KEY}` },
    body: JSON.stringify({ model, prompt: 'Once', max_tokens: 4, temperature: 0 }),
  })
  const { usage } = await res.json()
  assert.equal((await net.getReceipt(usage.receipt)).receipt.output_tokens, usage.completion_tokens)
  assert.equal((await net.explainReceipt(usage.receipt)).receipt, usage.receipt)
  assert.equal((await net.verifyReceipt(usage.receipt)).ok, true)
  assert.ok((await net.getUsage({ days: 1 })).usage.length > 0)
})

test('errors name the field', async () => {
  await assert.rejects(
    net.getReceipt(`0x${'00'.repeat(32)}`),
    (e) => e instanceof APIError && e.status === 404 && e.code === 'not_found' && /^req_/.test(e.requestID),
  )
})
