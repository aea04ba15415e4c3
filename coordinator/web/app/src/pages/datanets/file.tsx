import { bytes, count, many } from '../../lib/format';
import { Badge, Button, Card, Note } from '../../ui/basic';
import type { Item } from './offer';

/** Records of a file that are shown. */
const shownRecords = 100;

/** One file: how far it is, what is wrong with it, and which of its records are offered. */
export function FileCard({ item, onChoose, onRemove }: { item: Item; onChoose: (chosen: ReadonlySet<string>) => void; onRemove: () => void }) {
  const { file, upload, records, chosen, failed } = item;
  const duplicates = records.filter((r) => r.duplicate !== undefined).length;
  const similar = records.filter((r) => r.duplicate === undefined && r.similar !== undefined).length;
  return (
    <Card
      title={file.name}
      aside={
        <Button small onClick={onRemove} aria-label={`Take away ${file.name}`}>
          Take away
        </Button>
      }
    >
      <div className="row small">
        <span className="dim">{bytes(file.size)}</span>
        {failed === null && upload === null && (item.sent < 1 ? <Badge>sending</Badge> : <Badge>being read</Badge>)}
        {upload?.state === 'ready' && <Badge tone="good">{many(upload.records, 'record')}</Badge>}
        {upload?.state === 'refused' && <Badge tone="bad">cannot be used</Badge>}
        {upload !== null && upload.repeated > 0 && <Badge tone="warn">{`${count(upload.repeated)} twice in the file`}</Badge>}
        {duplicates > 0 && <Badge tone="warn">{`${many(duplicates, 'is', 'are')} in the datanet already`}</Badge>}
        {similar > 0 && <Badge tone="warn">{many(similar, 'is much like another', 'are much like others')}</Badge>}
      </div>
      {failed === null && upload === null && <progress className="progress" max={1} value={item.sent} aria-label={`${file.name}: share that is sent`} />}
      {failed !== null && <Note tone="error">{failed}</Note>}
      {upload !== null && upload.errors.length > 0 && (
        <Note tone={upload.state === 'ready' ? 'warn' : 'error'}>
          <ul>
            {upload.errors.map((e, n) => (
              <li key={n}>
                {e.line !== undefined && `Line ${e.line}: `}
                {e.field !== undefined && `${e.field} `}
                {e.message}
              </li>
            ))}
            {upload.more && <li>There are more; mend these first.</li>}
          </ul>
        </Note>
      )}
      {records.length > 0 && (
        <details>
          <summary>
            {count(chosen.size)} of {count(records.length)} will be offered
          </summary>
          <ul className="plain">
            {records.slice(0, shownRecords).map((r) => (
              <li key={r.record}>
                <label className="choice">
                  <input
                    type="checkbox"
                    checked={chosen.has(r.record)}
                    disabled={r.duplicate !== undefined}
                    onChange={(e) => {
                      const next = new Set(chosen);
                      if (e.target.checked) next.add(r.record);
                      else next.delete(r.record);
                      onChoose(next);
                    }}
                  />
                  <span className="stack tight">
                    <strong>{r.title}</strong>
                    <span className="small dim">{r.preview}</span>
                    {r.duplicate !== undefined && <Badge tone="warn">{`in the datanet already: ${r.duplicate}`}</Badge>}
                    {r.duplicate === undefined && r.similar !== undefined && <Badge tone="warn">{`${r.similar.per_cent} % like “${r.similar.title}”`}</Badge>}
                  </span>
                </label>
              </li>
            ))}
          </ul>
          {records.length > shownRecords && <p className="dim small">and {count(records.length - shownRecords)} more</p>}
        </details>
      )}
    </Card>
  );
}
