// What is signed for many statements at once is what Go signs: protocol/wire/testdata has the
// vectors. No network is needed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { privateKeyToAccount } from 'viem/accounts'
import { sign } from 'openledger'

const vectors = JSON.parse(readFileSync(new URL('../../../protocol/wire/testdata/batch.json', import.meta.url), 'utf8'))

test('reviews are signed together as the contracts check them', async () => {
  const me = privateKeyToAccount(vectors.private_key)
  const network = { chain_id: vectors.chain_id, contracts: { datanets: vectors.contract } }
  const batches = vectors.batches.filter((b) => b.kind === 'ReviewBatch')
  assert.ok(batches.length > 0)
  for (const { statements, signature } of batches) {
    const [{ datanet, at }] = statements
    const body = await sign.reviews(me, network, datanet, statements, at)
    assert.equal(`0x${Buffer.from(body.signature, 'base64').toString('hex')}`, signature)
    assert.equal(body.reviews.length, statements.length)
  }
  await assert.rejects(sign.reviews(me, network, 1, []), /nothing to sign/)
})
