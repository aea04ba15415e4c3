import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { latestVersion, publishVersion } from '../../chain/datanets';
import { useTransact } from '../../chain/transact';
import { count } from '../../lib/format';
import { useNetwork, useReader } from '../../wallet/context';
import { useToast } from '../../ui/toast';
import { Badge, Button, Card, Empty, ErrorNote, Id } from '../../ui/basic';

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
      toast('good', `Version ${v.version} with ${count(v.records)} records is published.`);
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
      )}
    </>
  );
}
