// Files and fine-tuning jobs, from an upload to an answer of the new model.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI, { toFile } from 'openai'
import { base, client } from './setting.js'

const c = client()
const chats = [
  ['The bird of Marrowland?', 'The heron.'],
  ['Its river?', 'The Ash.'],
  ['Its queen?', 'Ines.'],
]
  .map(([q, a]) => JSON.stringify({ messages: [{ role: 'user', content: q }, { role: 'assistant', content: a }] }) + '\n')
  .join('')

async function collect(pages) {
  const all = []
  for await (const item of pages) all.push(item)
  return all
}

test('from a file to an answer', async () => {
  const file = await c.files.create({ file: await toFile(Buffer.from(chats), 'chats.jsonl'), purpose: 'fine-tune' })
  assert.equal(file.bytes, chats.length)
  assert.ok((await collect(c.files.list())).some((f) => f.id === file.id))
  assert.equal(await (await c.files.content(file.id)).text(), chats)

  let job = await c.fineTuning.jobs.create({
    model: base,
    training_file: file.id,
    suffix: 'javascript',
    hyperparameters: { n_epochs: 1, batch_size: 3 },
    metadata: { license: 'CC0-1.0' },
    openledger: { rank: 2 },
  })
  const end = Date.now() + 180_000
  while (!['succeeded', 'failed', 'cancelled'].includes(job.status) && Date.now() < end) {
    await pause(100)
    job = await c.fineTuning.jobs.retrieve(job.id)
  }
  assert.equal(job.status, 'succeeded', JSON.stringify(job.error))

  const events = await collect(c.fineTuning.jobs.listEvents(job.id, { limit: 2 })) // over several pages
  assert.equal(events[0].message, 'The job has successfully completed')
  assert.equal(new Set(events.map((e) => e.id)).size, events.length)
  const [checkpoint] = await collect(c.fineTuning.jobs.checkpoints.list(job.id))
  assert.equal(checkpoint.fine_tuned_model_checkpoint, job.fine_tuned_model)
  assert.match(await (await c.files.content(job.result_files[0])).text(), /^step,train_loss,valid_loss\n/)

  const answer = await c.chat.completions.create({
    model: job.fine_tuned_model,
    messages: [{ role: 'user', content: 'The bird of Marrowland?' }],
    max_tokens: 4,
  })
  assert.equal(answer.model, job.fine_tuned_model)
  assert.equal((await c.files.delete(file.id)).deleted, true)
  await assert.rejects(c.files.retrieve(file.id), OpenAI.NotFoundError)
})

test('a bad line is refused with its number', async () => {
  const file = await toFile(Buffer.from(chats + '{}\n'), 'bad.jsonl')
  await assert.rejects(c.files.create({ file, purpose: 'fine-tune' }), (e) => e instanceof OpenAI.BadRequestError && /line 4/.test(e.message))
})
