import { expect, it } from 'vitest';
import { collector } from './throttle';

it('passes the first on at once, and then what came together', () => {
  const passed: string[][] = [];
  let due: (() => void) | null = null;
  const add = collector(1000, (keys) => passed.push(keys), (f) => { due = f; });
  const wait = () => {
    const f = due;
    due = null;
    f?.();
  };
  add('a');
  add('b');
  add('b');
  add('c');
  expect(passed).toEqual([['a']]);
  wait();
  expect(passed).toEqual([['a'], ['b', 'c']]);
  wait();
  expect(due).toBeNull();
  add('d');
  expect(passed).toEqual([['a'], ['b', 'c'], ['d']]);
});
