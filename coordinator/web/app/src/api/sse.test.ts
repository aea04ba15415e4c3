import { describe, expect, it } from 'vitest';
import { EventCutter, events } from './sse';

const stream = 'data: {"a":"é🦊"}\n\n: a comment\r\nevent: x\r\ndata: one\r\ndata:two\r\n\r\ndata\n\ndata: [DONE]\n\n';
const want = ['{"a":"é🦊"}', 'one\ntwo', '', '[DONE]'];

describe('EventCutter', () => {
  const bytes = new TextEncoder().encode(stream);
  it('gives the same events however the bytes are split', () => {
    for (let size = 1; size <= bytes.length; size++) {
      const cutter = new EventCutter();
      const got: string[] = [];
      for (let i = 0; i < bytes.length; i += size) got.push(...cutter.push(bytes.subarray(i, i + size)));
      expect(got, `pieces of ${size}`).toEqual(want);
    }
  });
  it('keeps back an event that has not ended', () => {
    const cutter = new EventCutter();
    expect(cutter.push(new TextEncoder().encode('data: half'))).toEqual([]);
    expect(cutter.push(new TextEncoder().encode('\n'))).toEqual([]);
    expect(cutter.push(new TextEncoder().encode('\n'))).toEqual(['half']);
  });
});

it('reads a body to its end', async () => {
  const got: string[] = [];
  for await (const e of events(new Blob([stream]).stream())) got.push(e);
  expect(got).toEqual(want);
});
