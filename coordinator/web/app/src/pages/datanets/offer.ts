// What a visitor is about to offer of the files that were sent.
import type { Upload, UploadedRecord } from '../../api/uploads';

/** Endings of the files that the coordinator reads (store/datanet). */
export const endings = ['.jsonl', '.csv', '.tsv', '.md', '.txt', '.pdf', '.docx', '.png', '.jpg', '.jpeg', '.webp', '.mp3', '.wav', '.flac', '.mp4', '.webm'];

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
