import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, data } from '../../api/client';
import { ago, count } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Card, Empty, Id, PageHead, Stat } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { Flow } from './flow';

const every = 3000;
const shown = 200;

/** What the network does now, and the way in for each kind of visitor. */
export default function Home() {
  const workers = useQuery({ queryKey: ['workers'], queryFn: () => data(api.GET('/api/v1/workers')), refetchInterval: every });
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), refetchInterval: 4 * every });
  const datanets = useQuery({ queryKey: ['datanets'], queryFn: () => data(api.GET('/api/v1/datanets')), refetchInterval: 4 * every });
  const trainings = useQuery({ queryKey: ['trainings'], queryFn: () => data(api.GET('/api/v1/training_jobs')), refetchInterval: every });
  const receipts = useQuery({
    queryKey: ['receipts', shown],
    queryFn: () => data(api.GET('/api/v1/receipts', { params: { query: { limit: shown } } })),
    refetchInterval: every,
  });
  const now = useNow(every);

  const list = receipts.data?.receipts ?? [];
  const adapters = models.data?.models.filter((m) => m.cid !== undefined).length;
  const training = trainings.data?.training_jobs.filter((j) => j.state === 'running').length ?? 0;
  const paid = list.reduce((sum, r) => sum + BigInt(r.receipt.compute) + BigInt(r.receipt.access), 0n);
  return (
    <>
      <PageHead title="OpenLedger" sub="Models whose data has owners: every answer says which records it came from, and pays them." />
      <div className="grid">
        <Stat label="Workers" value={workers.data === undefined ? '–' : count(workers.data.workers.length)} hint={`${count(workers.data?.workers.reduce((n, w) => n + w.running, 0) ?? 0)} answers under way`} />
        <Stat label="Adapters" value={adapters === undefined ? '–' : count(adapters)} hint={training > 0 ? `${count(training)} in training` : 'none in training'} />
        <Stat label="Datanets" value={datanets.data === undefined ? '–' : count(datanets.data.datanets.length)} />
        <Stat label={list.length < shown ? 'OPEN paid' : `OPEN paid by the last ${shown} answers`} value={<Amount wei={paid} digits={4} />} hint={list.length === 1 ? 'for one answer' : `for ${count(list.length)}${list.length < shown ? '' : '+'} answers`} />
      </div>
      <Card title="What happens now">
        <Flow
          answers={list.map((r) => r.receipt.id)}
          counts={{
            datanets: datanets.data?.datanets.length,
            adapters,
            workers: workers.data?.workers.length,
            receipts: receipts.data === undefined ? undefined : list.length,
          }}
          training={training > 0}
          more={list.length === shown}
        />
      </Card>
      <Card title="Latest answers" aside={<Link to="/receipts">All receipts</Link>}>
        <Fetched query={receipts} what="receipts">
          {() =>
            list.length === 0 ? (
              <Empty title="No answers yet" />
            ) : (
              <div className="table">
                <table>
                  <thead>
                    <tr>
                      <th>Receipt</th>
                      <th>Worker</th>
                      <th className="num">Tokens</th>
                      <th className="num">Fee</th>
                      <th>When</th>
                      <th>Settled</th>
                    </tr>
                  </thead>
                  <tbody>
                    {list.slice(0, 8).map((r) => (
                      <tr key={r.receipt.id}>
                        <td>
                          <Link to="/receipts/$id" params={{ id: r.receipt.id }}>
                            <code>{r.receipt.id.slice(0, 10)}</code>
                          </Link>
                        </td>
                        <td>
                          <Id value={r.receipt.worker} label="account" />
                        </td>
                        <td className="num">{count(r.receipt.prompt_tokens + r.receipt.output_tokens)}</td>
                        <td className="num">
                          <Amount wei={BigInt(r.receipt.compute) + BigInt(r.receipt.access)} />
                        </td>
                        <td className="nowrap">{ago(r.receipt.finished_at, now)}</td>
                        <td>{r.settled ? <Badge tone="good">on chain</Badge> : <Badge>not yet</Badge>}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Fetched>
      </Card>
    </>
  );
}
