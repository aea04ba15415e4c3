import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, refusal, type Schemas } from '../../api/client';
import { contribute, recordsOf, review, sendFile, uploadToken } from '../../api/uploads';
import { useAction } from '../../chain/action';
import { createDatanet, createdDatanet, latestVersion, publishVersion } from '../../chain/datanets';
import { useTransact } from '../../chain/transact';
import { many } from '../../lib/format';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useReader, useWallet } from '../../wallet/context';
import { Badge, Button, Card, ErrorNote, Note, PageHead } from '../../ui/basic';
import { Fetched } from '../../ui/query';

const steps = ['Create the datanet', 'Send the records', 'Sign and contribute them', 'Accept them as the owner', 'Publish version 1'] as const;

interface Progress {
  step: number;
  datanet?: number;
  upload?: string;
  records?: string[];
}

/** Offers the coordinator's samples: a datanet that is ready to train on, in one press. */
export function FromSample() {
  const samples = useQuery({ queryKey: ['samples'], queryFn: () => data(api.GET('/api/v1/samples')), staleTime: Infinity });
  return (
    <>
      <PageHead title="Start from sample records" sub="Makes a datanet of yours with records that are ready to train on, in five steps and well under a minute." />
      <Fetched query={samples} what="samples">
        {({ samples: list }) =>
          list.length === 0 ? (
            <Note tone="warn">
              This coordinator brings no samples along. <Link to="/datanets/new" search={{}}>Create a datanet</Link> and contribute a file of your own.
            </Note>
          ) : (
            <>
              {list.map((s) => (
                <Sample key={s.name} sample={s} />
              ))}
            </>
          )
        }
      </Fetched>
    </>
  );
}

/** Each step is done once: after a failure the next press goes on where it stopped. */
function Sample({ sample }: { sample: Schemas['Sample'] }) {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const reader = useReader();
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const [at, setAt] = useState<Progress>({ step: 0 });
  const done = at.step === steps.length;
  const start = () => {
    run(async () => {
      if (signer === null || network === undefined || reader === null) throw new Error('Connect an account first.');
      let p = at;
      const next = (more: Partial<Progress>) => {
        p = { ...p, ...more, step: p.step + 1 };
        setAt(p);
      };
      if (p.step === 0) {
        const hash = await transact(createDatanet(network, sample.title, sample.license, sample.description));
        next({ datanet: await createdDatanet(reader, hash) });
      }
      const { datanet } = p;
      if (datanet === undefined) throw new Error('There is no datanet yet.');
      if (p.step === 1) {
        const response = await fetch(`/api/v1/samples/${encodeURIComponent(sample.name)}`);
        if (!response.ok) throw await refusal(response);
        const token = await uploadToken(network, signer);
        const up = await sendFile(token, datanet, new File([await response.blob()], sample.name), () => undefined, new AbortController().signal);
        if (up.state !== 'ready' || up.id === undefined) throw new Error(up.errors[0]?.message ?? 'The coordinator could not read the sample.');
        next({ upload: up.id, records: (await recordsOf(token, up.id)).map((r) => r.record) });
      }
      const { upload, records } = p;
      if (upload === undefined || records === undefined) throw new Error('There are no records yet.');
      if (p.step === 2) {
        refuse(await contribute(network, signer, datanet, sample.license, [{ upload, records }], () => undefined));
        next({});
      }
      if (p.step === 3) {
        refuse(await review(network, signer, datanet, records, 'accepted', ''));
        next({});
      }
      if (p.step === 4) {
        const v = await data(api.POST('/api/v1/datanets/{id}/versions', { params: { path: { id: datanet } } }));
        if ((await latestVersion(reader, network, datanet)) < v.version) await transact(publishVersion(network, v));
        next({});
      }
    }, 'The datanet is published.');
  };
  return (
    <Card title={sample.title} aside={<Badge tone="accent">{sample.license}</Badge>}>
      <p>
        {sample.description}. {many(sample.records, 'record')}.
      </p>
      {signer === null && <NeedsAccount why="The datanet will belong to an account." />}
      <ol className="stack tight" aria-label="Steps">
        {steps.map((text, i) => (
          <li key={text} aria-current={busy && i === at.step ? 'step' : undefined}>
            {text} {i < at.step ? <Badge tone="good">done</Badge> : busy && i === at.step ? <Badge tone="accent">under way…</Badge> : null}
          </li>
        ))}
      </ol>
      {failed !== null && <ErrorNote error={failed} />}
      {done && at.datanet !== undefined ? (
        <div className="row" role="status">
          <Link to="/factory/new" search={{ datanet: at.datanet, sample: sample.name }} className="button primary">
            Train an adapter on it
          </Link>
          <Link to="/datanets/$id" params={{ id: String(at.datanet) }} className="button">
            Look at the datanet
          </Link>
        </div>
      ) : (
        <div>
          <Button kind="primary" busy={busy} disabled={signer === null || network === undefined} onClick={start}>
            {at.step === 0 ? 'Make this datanet' : `Go on with step ${at.step + 1}`}
          </Button>
        </div>
      )}
    </Card>
  );
}

function refuse(results: Schemas['BatchResults']['results']) {
  const bad = results.find((r) => r.error !== undefined);
  if (bad?.error !== undefined) throw new Error(bad.error.message);
}
