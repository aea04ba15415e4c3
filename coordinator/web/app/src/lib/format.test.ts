import { describe, expect, it } from 'vitest';
import { ago, bytes, duration, many, open, short, wei } from './format';

describe('open', () => {
  it('is exact when no digits are asked for', () => {
    expect(open('10037000000000000')).toBe('0.010037');
    expect(open(1n)).toBe('0.000000000000000001');
    expect(open(1_234_567n * 10n ** 18n)).toBe('1,234,567');
  });
  it('never shows more than there is', () => {
    expect(open(1_999_999_999_999_999_999n, 2)).toBe('1.99');
    expect(open(1n, 4)).toBe('<0.0001');
    expect(open(0n, 4)).toBe('0');
  });
  it('is the inverse of wei', () => {
    for (const text of ['0', '1', '12.5', '0.000000000000000001', '1000000000']) {
      expect(open(wei(text)).replaceAll(',', '')).toBe(text);
    }
  });
});

describe('wei', () => {
  it('refuses what is no amount', () => {
    for (const text of ['', '.', '-1', '1e3', '1.', '0.0000000000000000001', 'ten']) {
      expect(() => wei(text), text).toThrow('Write an amount');
    }
  });
});

it('counts one thing, and several', () => {
  expect(['request', 'entry'].map((w) => many(1, w))).toEqual(['1 request', '1 entry']);
  expect([many(0, 'request'), many(1200, 'request'), many(2, 'batch', 'batches')]).toEqual(['0 requests', '1,200 requests', '2 batches']);
});

it('says lengths of time in two units', () => {
  expect(duration(59_400)).toBe('59 s');
  expect(duration(3_600_000)).toBe('1 h');
  expect(duration(3_660_000)).toBe('1 h 1 min');
  expect(duration(90_000_000)).toBe('1 d 1 h');
  expect(ago(1000, 61_000)).toBe('1 min ago');
  expect(ago(61_000, 1000)).toBe('in 1 min');
});

it('shortens', () => {
  expect(bytes(1023)).toBe('1023 B');
  expect(bytes(1536)).toBe('1.5 KiB');
  expect(short('0x8c1d931bf5b1ef060f136ed72baa79e1')).toBe('0x8c1d93…79e1');
});
