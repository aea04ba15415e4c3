// What a visitor is about to offer of the files that were sent.
import type { Schemas } from '../../api/client';
import type { Upload, UploadedRecord } from '../../api/uploads';
import { bytes } from '../../lib/format';

/** Why a file would be refused whatever is in it, before it is sent; null: it may be sent. */
export function refusedUnsent(file: Pick<File, 'name' | 'size'>, formats: Schemas['FileFormat'][]): string | null {
  const name = file.name.toLowerCase();
  const format = formats.find((f) => f.endings.some((e) => name.endsWith(e)));
  if (format === undefined) return `Files of this kind are not read here. Give one of ${formats.flatMap((f) => f.endings).join(' ')}.`;
  if (file.size === 0) return 'The file is empty.';
  if (file.size > format.max_bytes) return `The file has ${bytes(file.size)}, and a ${format.name} file may have ${bytes(format.max_bytes)}. Split it or make it smaller.`;
  return null;
}

/** A file on its way. */
export interface Item {
  key: string;
  file: File;
  /** Share of the file that is sent. */
  sent: number;
  upload: Upload | null;
  records: UploadedRecord[];
  /** Records that will be offered. */
  chosen: ReadonlySet<string>;
  failed: string | null;
  stop: AbortController;
}

/** The records of a file that are chosen at first: those that the datanet does not have. */
export function fresh(records: UploadedRecord[]): ReadonlySet<string> {
  return new Set(records.filter((r) => r.duplicate === undefined).map((r) => r.record));
}

/** What would be offered: every record once, in the first file that has it. */
export function offerOf(items: Pick<Item, 'upload' | 'records' | 'chosen'>[]): { upload: string; records: string[] }[] {
  const seen = new Set<string>();
  return items.flatMap(({ upload, records, chosen }) => {
    if (upload?.id === undefined) return [];
    const mine = records.map((r) => r.record).filter((r) => chosen.has(r) && !seen.has(r));
    for (const r of mine) seen.add(r);
    return mine.length === 0 ? [] : [{ upload: upload.id, records: mine }];
  });
}
