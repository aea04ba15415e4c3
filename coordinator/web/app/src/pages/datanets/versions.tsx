import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { latestVersion, publishVersion } from '../../chain/datanets';
import { useTransact } from '../../chain/transact';
import { count, many } from '../../lib/format';
import { useNetwork, useReader } from '../../wallet/context';
import { useToast } from '../../ui/toast';
import { Badge, Button, Card, Empty, ErrorNote, Id } from '../../ui/basic';
import { SelectField } from '../../ui/form';
import { Fetched } from '../../ui/query';

/** Published versions, how they differ, and the owner's way to the next one. */
export function Versions({ datanet, owner, versions }: { datanet: Schemas['Datanet']; owner: boolean; versions: Schemas['Version'][] }) {
  const network = useNetwork().data;
  const reader = useReader();
  const transact = useTransact();
  const toast = useToast();
  const { busy, failed, run } = useAction();
  const publish = () => {
    run(async () => {
      if (network === undefined || reader === null) throw new Error('The network is not known yet: wait a moment and try again.');
      const v = await data(api.POST('/api/v1/datanets/{id}/versions', { params: { path: { id: datanet.id } } }));
      if ((await latestVersion(reader, network, datanet.id)) >= v.version) {
        toast('info', `Nothing has changed since version ${v.version}: accept or reject something first.`);
        return;
      }
      await transact(publishVersion(network, v));
      toast('good', `Version ${v.version} with ${many(v.records, 'record')} is published.`);
    });
  };
  return (
    <>
      {owner && (
        <Card title="Publish the next version">
          <p>A version holds the records that are accepted now, for ever: adapters are trained on versions, and it can be checked what was in them.</p>
          {failed !== null && <ErrorNote error={failed} />}
          <div>
            <Button kind="primary" busy={busy} disabled={network === undefined || reader === null} onClick={publish}>
              Build and publish
            </Button>
          </div>
          <p className="dim small">One transaction; it costs gas only.</p>
        </Card>
      )}
      {versions.length === 0 ? (
        <Empty title="No version is published yet">{!owner && <p>The datanet&apos;s owner publishes versions.</p>}</Empty>
      ) : (
        <>
          <Card title="Versions">
            <div className="table">
              <table>
                <thead>
                  <tr>
                    <th>Version</th>
                    <th className="num">Records</th>
                    <th>Licence</th>
                    <th>Root</th>
                    <th>Archive</th>
                  </tr>
                </thead>
                <tbody>
                  {[...versions].reverse().map((v, i) => (
                    <tr key={v.version}>
                      <td>
                        {v.version} {i === 0 && <Badge tone="good">newest</Badge>}
                      </td>
                      <td className="num">{count(v.records)}</td>
                      <td>{v.license}</td>
                      <td>
                        <Id value={v.root} label="root" />
                      </td>
                      <td>
                        <a href={`/api/v1/datanets/${datanet.id}/versions/${v.version}/car`} download={`datanet-${datanet.id}-v${v.version}.car`}>
                          Download
                        </a>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Card>
          <Diff datanet={datanet.id} versions={versions} />
        </>
      )}
    </>
  );
}

function Diff({ datanet, versions }: { datanet: number; versions: Schemas['Version'][] }) {
  const newest = versions.at(-1)?.version ?? 1;
  const [to, setTo] = useState(newest);
  const [from, setFrom] = useState(newest - 1);
  const query = useQuery({
    queryKey: ['diff', datanet, from, to],
    enabled: from !== to,
    queryFn: () => data(api.GET('/api/v1/datanets/{id}/versions/{version}/diff', { params: { path: { id: datanet, version: to }, query: { from } } })),
    staleTime: Infinity,
  });
  return (
    <Card title="What changed">
      <div className="row">
        <SelectField
          label="From"
          value={from}
          onChange={(e) => {
            setFrom(Number(e.target.value));
          }}
        >
          <option value={0}>nothing</option>
          {versions.map((v) => (
            <option key={v.version} value={v.version}>
              version {v.version}
            </option>
          ))}
        </SelectField>
        <SelectField
          label="To"
          value={to}
          onChange={(e) => {
            setTo(Number(e.target.value));
          }}
        >
          {versions.map((v) => (
            <option key={v.version} value={v.version}>
              version {v.version}
            </option>
          ))}
        </SelectField>
      </div>
      {from === to ? (
        <p className="dim">Choose two different versions.</p>
      ) : (
        <Fetched query={query} what="the difference">
          {(d) => (
            <div className="stack">
              <p>
                {count(d.counts.added)} added, {count(d.counts.removed)} removed, {count(d.counts.changed)} changed.
              </p>
              {d.changed.length > 0 && (
                <details>
                  <summary>Changed</summary>
                  <ul>
                    {d.changed.map((c) => (
                      <li key={c.to.cid}>
                        <strong>{c.to.title}</strong>
                        <div className="small">before: {c.from.preview}</div>
                        <div className="small">now: {c.to.preview}</div>
                      </li>
                    ))}
                  </ul>
                </details>
              )}
              <Titles title="Added" list={d.added} />
              <Titles title="Removed" list={d.removed} />
            </div>
          )}
        </Fetched>
      )}
    </Card>
  );
}

function Titles({ title, list }: { title: string; list: Schemas['RecordSummary'][] }) {
  if (list.length === 0) return null;
  return (
    <details>
      <summary>
        {title} ({count(list.length)})
      </summary>
      <ul>
        {list.map((r) => (
          <li key={r.cid}>
            <strong>{r.title}</strong> <span className="small dim">{r.preview}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
