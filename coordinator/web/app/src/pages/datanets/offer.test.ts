import { expect, it } from 'vitest';
import type { Upload, UploadedRecord } from '../../api/uploads';
import { fresh, offerOf, refusedUnsent } from './offer';

const record = (record: string, duplicate?: 'accepted'): UploadedRecord => ({
  record,
  cid: `cid-${record}`,
  type: 'text',
  title: record,
  preview: '',
  bytes: 1,
  ...(duplicate === undefined ? {} : { duplicate }),
});
const upload = (id?: string): Upload =>
  ({ ...(id === undefined ? {} : { id }), datanet: 1, account: '0x', name: 'f', bytes: 1, state: id === undefined ? 'refused' : 'ready', errors: [], more: false, records: 1, repeated: 0, at: 0, expires: 0 });

it('what the datanet has already is not chosen', () => {
  expect([...fresh([record('a'), record('b', 'accepted'), record('c')])]).toEqual(['a', 'c']);
});

it('offers chosen records once, under the file that had them first', () => {
  const item = (id: string | undefined, names: string[], chosen: string[]) => ({ upload: upload(id), records: names.map((n) => record(n)), chosen: new Set(chosen) });
  expect(
    offerOf([
      item('one', ['a', 'b', 'c'], ['c', 'a']),
      item('two', ['a', 'd'], ['a', 'd']),
      item(undefined, ['e'], ['e']),
      item('three', ['a'], ['a']),
      { upload: null, records: [], chosen: new Set<string>() },
    ]),
  ).toEqual([
    { upload: 'one', records: ['a', 'c'] },
    { upload: 'two', records: ['d'] },
  ]);
});

it('refuses by name and size what would be refused anyway, without sending it', () => {
  const formats = [
    { name: 'PDF', endings: ['.pdf'], max_bytes: 1 << 20 },
    { name: 'JPEG', endings: ['.jpg', '.jpeg'], max_bytes: 10 },
  ];
  expect(refusedUnsent({ name: 'A.PDF', size: 1 << 20 }, formats)).toBeNull();
  expect(refusedUnsent({ name: 'a.pdf', size: (1 << 20) + 1 }, formats)).toContain('a PDF file may have 1.0 MiB');
  expect(refusedUnsent({ name: 'a.jpeg', size: 0 }, formats)).toBe('The file is empty.');
  expect(refusedUnsent({ name: 'pdf', size: 1 }, formats)).toContain('Give one of .pdf .jpg .jpeg');
});
