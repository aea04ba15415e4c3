import { expect, it } from 'vitest';
import { bounds, type Field, parse, shown, written, wrong } from './settings';

it('reads back what it writes, to the unit', () => {
  for (const unit of ['wei', 'basis points', 'percent', 'seconds', 'blocks', 'number', 'account'] as const) {
    for (const v of [0n, 1n, 59n, 60n, 1005n, 90061n, 10n ** 21n + 1n]) {
      if (unit === 'basis points' && v > 10n ** 9n) continue;
      expect(parse(unit, written(unit, v)), `${unit} ${String(v)}`).toBe(v);
    }
  }
});

it('says it as people do', () => {
  expect(shown('wei', 12_500n * 10n ** 18n)).toBe('12,500 OPEN');
  expect(shown('basis points', 1050n)).toBe('10.5 %');
  expect(shown('seconds', 129_600n)).toBe('1 d 12 h');
  expect(shown('blocks', 3n)).toBe('3 blocks');
  expect(parse('seconds', '36h')).toBe(129_600n);
});

it('says what to write instead', () => {
  expect(() => parse('seconds', '7')).toThrow('7 d');
  expect(() => parse('seconds', '7 d and a bit')).toThrow('7 d');
  expect(() => parse('basis points', '1.005')).toThrow('two digits');
  expect(() => parse('wei', '-1')).toThrow('12.5');
  expect(() => parse('number', '1.5')).toThrow('whole');
  expect(() => parse('account', '0x12')).toThrow('40 hex');
});

it('keeps to what the contract takes', () => {
  const f = (over: Partial<Field>): Field => ({ name: 'x', unit: 'number', about: '', value: '5', min: '1', max: '32', bounded: true, ...over });
  expect(wrong(f({}), 0n)).toContain('at least 1');
  expect(wrong(f({}), 33n)).toContain('at most 32');
  expect(wrong(f({}), 32n)).toBeUndefined();
  expect(bounds(f({ unit: 'basis points', max: '10000' }))).toBe('0.01 % to 100 %');
  expect(bounds(f({ unit: 'seconds', bounded: false }))).toBe('above 0');
  expect(bounds(f({ unit: 'wei', min: '0', bounded: false }))).toBeUndefined();
});
