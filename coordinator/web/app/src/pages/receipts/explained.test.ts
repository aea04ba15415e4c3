import { expect, test } from 'vitest';
import { earned } from './explained';

test('what a record earns by attribution and by being read are told apart', () => {
  const account = '0x01';
  const payments = [
    { account, role: 'contributor' as const, amount: '5', record: 'a' },
    { account, role: 'contributor' as const, amount: '7', record: 'a', datanet: 2 },
    { account, role: 'contributor' as const, amount: '11', record: 'a', datanet: 3 },
    { account, role: 'datanet' as const, amount: '13', datanet: 2 },
  ];
  const of = { receipt: '0x', algorithm: 'x', datanet: 0, parts: [], records: [], pool: 0, read: [], payments };
  expect(earned(of, 'a')).toBe(5n);
  expect(earned(of, 'a', 2)).toBe(7n);
  expect(earned(of, 'b')).toBe(0n);
});
