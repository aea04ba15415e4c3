import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { review } from '../../api/uploads';
import { useAction } from '../../chain/action';
import { bytes, count, many } from '../../lib/format';
import { useNetwork, useWallet } from '../../wallet/context';
import { Button, Card, Empty, ErrorNote, Note } from '../../ui/basic';
import { AccountId } from '../../ui/names';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { Preview } from './preview';

const most = 200;

/** What waits for the owner: chosen in any number, decided with one signature. */
export function Review({ datanet, owner }: { datanet: Schemas['Datanet']; owner: boolean }) {
  const id = datanet.id;
  const { signer } = useWallet();
  const network = useNetwork().data;
  const queries = useQueryClient();
  const { busy, failed, run } = useAction();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [reason, setReason] = useState('');
  const [needsReason, setNeedsReason] = useState(false);
  const query = useQuery({
    queryKey: ['contributions', id, 'pending'],
    queryFn: () => data(api.GET('/api/v1/datanets/{id}/contributions', { params: { path: { id }, query: { status: 'pending', limit: most } } })),
    refetchInterval: 10_000,
  });
  const decide = (records: string[], status: 'accepted' | 'rejected' | 'abusive') => {
    if (status !== 'accepted' && reason.trim() === '') {
      setNeedsReason(true);
      return;
    }
    setNeedsReason(false);
    run(
      async () => {
        if (signer === null || network === undefined) throw new Error('Connect the owner’s account first.');
        const results = await review(network, signer, id, records, status, status === 'accepted' ? '' : reason.trim());
        setChosen(new Set());
        setReason('');
        await queries.invalidateQueries();
        const bad = results.find((r) => r.error !== undefined);
        if (bad?.error !== undefined) throw new Error(bad.error.message);
      },
      `${many(records.length, 'record')} ${status}.`,
    );
  };
  return (
    <Fetched query={query} what="what waits for review">
      {({ contributions: list, next }) => {
        if (list.length === 0) return <Empty title="Nothing waits for review" />;
        const picked = list.filter((c) => chosen.has(c.contribution.record)).map((c) => c.contribution.record);
        return (
          <>
            {!owner && <Note>Only the datanet&apos;s owner decides. Connect that account to review.</Note>}
            {owner && (
              <Card title={`${count(list.length)}${next === '' ? '' : '+'} wait for your decision`}>
                <div className="row">
                  <Button
                    kind="primary"
                    busy={busy}
                    disabled={picked.length === 0}
                    onClick={() => {
                      decide(picked, 'accepted');
                    }}
                  >
                    {`Accept ${count(picked.length)}`}
                  </Button>
                  <Button
                    kind="danger"
                    busy={busy}
                    disabled={picked.length === 0}
                    onClick={() => {
                      decide(picked, 'rejected');
                    }}
                  >
                    {`Reject ${count(picked.length)}`}
                  </Button>
                  <Button
                    small
                    onClick={() => {
                      setChosen(picked.length === list.length ? new Set() : new Set(list.map((c) => c.contribution.record)));
                    }}
                  >
                    {picked.length === list.length ? 'Choose none' : 'Choose all'}
                  </Button>
                </div>
                <TextField
                  label="Reason for rejecting"
                  hint="The contributors read it."
                  value={reason}
                  maxLength={500}
                  onChange={(e) => {
                    setReason(e.target.value);
                  }}
                  wrong={needsReason && reason.trim() === '' ? 'Say why, so that the contributor can do better.' : undefined}
                />
                {failed !== null && <ErrorNote error={failed} />}
                <p className="dim small">One signature for all that are chosen; it costs nothing.</p>
              </Card>
            )}
            <ul className="plain">
              {list.map((c) => {
                const record = c.contribution.record;
                return (
                  <li key={record} className="card">
                    <label className="row">
                      {owner && (
                        <input
                          type="checkbox"
                          checked={chosen.has(record)}
                          onChange={(e) => {
                            const set = new Set(chosen);
                            if (e.target.checked) set.add(record);
                            else set.delete(record);
                            setChosen(set);
                          }}
                        />
                      )}
                      <strong>{c.title}</strong>
                    </label>
                    <Preview cid={c.cid} preview={c.preview} media={c.media} />
                    <div className="row small dim">
                      <Link to="/datanets/$id/records/$cid" params={{ id: String(id), cid: c.cid }}>
                        Whole record
                      </Link>
                      <span>{bytes(c.bytes)}</span>
                      <span className="row">
                        by <AccountId value={c.contribution.contributor} />
                      </span>
                    </div>
                  </li>
                );
              })}
            </ul>
          </>
        );
      }}
    </Fetched>
  );
}
