import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Upload as UploadIcon } from 'lucide-react';
import { type DragEvent, useId, useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { type BatchResult, contribute, recordsOf, sendFile, uploadToken } from '../../api/uploads';
import { useAction } from '../../chain/action';
import { bytes, count, many } from '../../lib/format';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';
import { Button, ErrorNote, message, Note } from '../../ui/basic';
import { FileCard } from './file';
import { fresh, type Item, offerOf, refusedUnsent } from './offer';

/** Files are sent and checked first; what is offered is signed once, when the visitor has seen it. */
export function Contribute({ datanet }: { datanet: Schemas['Datanet'] }) {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const queries = useQueryClient();
  const { busy, failed, run } = useAction();
  const limits = useQuery({ queryKey: ['limits', datanet.id], queryFn: () => data(api.GET('/api/v1/datanets/{id}/limits', { params: { path: { id: datanet.id } } })) });
  const kinds = useQuery({ queryKey: ['formats'], queryFn: () => data(api.GET('/api/v1/formats')), staleTime: Infinity });
  const formats = kinds.data?.formats;
  const [items, setItems] = useState<Item[]>([]);
  const [over, setOver] = useState(false);
  const [sent, setSent] = useState<{ done: number; all: number } | null>(null);
  const [results, setResults] = useState<BatchResult[] | null>(null);
  const id = useId();

  const change = (key: string, more: Partial<Item>) => {
    setItems((list) => list.map((i) => (i.key === key ? { ...i, ...more } : i)));
  };
  const take = (files: FileList | null) => {
    if (files === null || files.length === 0 || signer === null || network === undefined || formats === undefined) return;
    setResults(null);
    const added = Array.from(
      files,
      (file): Item => ({ key: crypto.randomUUID(), file, sent: 0, upload: null, records: [], chosen: new Set(), failed: refusedUnsent(file, formats), stop: new AbortController() }),
    );
    setItems((list) => [...list, ...added]);
    const all = async () => {
      // One after the other: the account signs once, and the line is not shared.
      for (const item of added) {
        if (item.failed !== null || item.stop.signal.aborted) continue;
        try {
          const token = await uploadToken(network, signer);
          const upload = await sendFile(
            token,
            datanet.id,
            item.file,
            (share) => {
              change(item.key, { sent: share });
            },
            item.stop.signal,
          );
          const records = upload.state === 'ready' && upload.id !== undefined ? await recordsOf(token, upload.id) : [];
          change(item.key, { upload, records, sent: 1, chosen: fresh(records) });
        } catch (error) {
          change(item.key, { failed: message(error) });
        }
      }
    };
    void all();
  };
  const drop = (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    take(e.dataTransfer.files);
  };

  const offered = offerOf(items);
  const total = offered.reduce((n, o) => n + o.records.length, 0);
  const under = items.some((i) => i.upload === null && i.failed === null);
  const offer = () => {
    run(async () => {
      if (signer === null || network === undefined) throw new Error('Connect an account first.');
      setSent({ done: 0, all: total });
      try {
        const out = await contribute(network, signer, datanet.id, datanet.license, offered, (done, all) => {
          setSent({ done, all });
        });
        setResults(out);
        setItems([]);
        await queries.invalidateQueries();
      } finally {
        setSent(null);
      }
    });
  };

  if (signer === null) return <NeedsAccount why="Contributions are signed, so that what they earn reaches you. Signing costs nothing." />;
  const refused = results?.filter((r) => r.error !== undefined) ?? [];
  return (
    <>
      <div
        className="drop"
        data-over={over}
        onDragOver={(e) => {
          e.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => {
          setOver(false);
        }}
        onDrop={drop}
      >
        <UploadIcon size={28} aria-hidden="true" />
        <label htmlFor={id}>
          <strong>Drop files here, or choose them</strong>
        </label>
        {formats !== undefined && (
          <span className="dim small">
            {formats.map((f) => f.endings[0]).join(' ')}, up to {bytes(Math.max(...formats.map((f) => f.max_bytes)))} each
          </span>
        )}
        <input
          id={id}
          type="file"
          multiple
          accept={formats?.flatMap((f) => f.endings).join(',')}
          disabled={formats === undefined}
          onChange={(e) => {
            take(e.target.files);
            e.target.value = '';
          }}
        />
      </div>
      <p className="dim small">
        What you offer is licensed under {datanet.license}. Only contribute what you may give away under it. A file is checked before anything is offered.
        {limits.data !== undefined && ` This datanet takes ${many(limits.data.per_day, 'record')} a day of one account.`} Your account signs once to send files, and once for all records that you offer; neither costs anything.
      </p>
      {items.map((i) => (
        <FileCard
          key={i.key}
          item={i}
          onChoose={(chosen) => {
            change(i.key, { chosen });
          }}
          onRemove={() => {
            i.stop.abort();
            setItems((list) => list.filter((o) => o.key !== i.key));
          }}
        />
      ))}
      {kinds.error !== null && <ErrorNote error={kinds.error} />}
      {failed !== null && <ErrorNote error={failed} />}
      {sent !== null && (
        <div className="stack tight" role="status">
          <progress className="progress" max={sent.all} value={sent.done} aria-label="Records sent" />
          <span className="small dim">
            {count(sent.done)} of {many(sent.all, 'record')} sent. Repeating after a failure offers nothing twice.
          </span>
        </div>
      )}
      {items.length > 0 && (
        <div className="row">
          <Button kind="primary" busy={busy} disabled={total === 0 || under} onClick={offer}>
            {`Sign and offer ${many(total, 'record')}`}
          </Button>
          {under && <span className="dim small">Wait until all files are checked.</span>}
          {!under && total > 0 && <span className="dim small">One signature for all of them; it costs nothing.</span>}
        </div>
      )}
      {results !== null && (
        <Note tone={refused.length === 0 ? 'good' : 'warn'}>
          <span>
            {many(results.length - refused.length, 'record is', 'records are')} offered. The owner of the datanet reviews them; their state is under Records.
            {refused.length > 0 && ` ${many(refused.length, 'was', 'were')} refused:`}
          </span>
          {refused.length > 0 && (
            <ul>
              {refused.slice(0, 20).map((r) => (
                <li key={r.record}>{r.error?.message}</li>
              ))}
            </ul>
          )}
        </Note>
      )}
    </>
  );
}
