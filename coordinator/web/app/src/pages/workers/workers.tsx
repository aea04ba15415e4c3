import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, data } from '../../api/client';
import { count, many } from '../../lib/format';
import { Amount, Badge, Card, Empty, PageHead, Stat } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { roundTrip } from './held';
import { NetworkPicture } from './network-picture';
import { WhyNot } from './whynot';

/** Who serves: every worker that the coordinator has heard of lately. */
export default function Workers() {
  const query = useQuery({ queryKey: ['workers'], queryFn: () => data(api.GET('/api/v1/workers')), refetchInterval: 3000 });
  return (
    <>
      <PageHead title="Workers" sub="The machines that serve and train, as they announce themselves." />
      <Fetched query={query} what="workers">
        {({ workers }) =>
          workers.length === 0 ? (
            <Card>
              <Empty title="No worker is within reach">
                <p>
                  Start one: <code>openledger worker run</code>
                </p>
              </Empty>
            </Card>
          ) : (
            <>
              <div className="grid">
                <Stat label="Workers" value={count(workers.length)} hint={many(workers.filter((w) => w.trains).length, 'trains', 'train')} />
                <Stat label="Answers under way" value={count(workers.reduce((n, w) => n + w.running, 0))} hint={`of ${count(workers.reduce((n, w) => n + w.slots, 0))} at once`} />
                <Stat label="Tokens a second" value={count(Math.round(workers.reduce((n, w) => n + w.decode_tps, 0)))} hint="measured by the workers themselves" />
                <Stat label="Stake" value={<Amount wei={workers.reduce((n, w) => n + BigInt(w.stake), 0n)} digits={0} />} />
              </div>
              <NetworkPicture workers={workers} />
              <WhyNot />
              <Card title="All workers">
                <div className="table">
                  <table>
                    <thead>
                      <tr>
                        <th>Worker</th>
                        <th>State</th>
                        <th className="num">Load</th>
                        <th className="num">Round trip</th>
                        <th className="num">Tokens/s</th>
                        <th className="num">Adapters</th>
                        <th className="num">Ask per 1,000 tokens in / out</th>
                        <th className="num">Stake</th>
                      </tr>
                    </thead>
                    <tbody>
                      {workers.map((w) => (
                        <tr key={w.peer}>
                          <td className="nowrap">
                            <Link to="/workers/$id" params={{ id: w.peer }}>
                              <code>…{w.peer.slice(-10)}</code>
                            </Link>
                          </td>
                          <td>{w.reason === undefined ? <Badge tone="good">ready</Badge> : <Badge tone="warn">{w.reason}</Badge>}</td>
                          <td className="num">
                            {w.running} / {w.slots}
                            {w.waiting > 0 && ` + ${w.waiting} waiting`}
                          </td>
                          <td className="num">{roundTrip(w.round_trip)}</td>
                          <td className="num">{count(Math.round(w.decode_tps))}</td>
                          <td className="num">{w.adapters?.length ?? 0}</td>
                          <td className="num">
                            <Amount wei={w.price.input_per_1k} /> / <Amount wei={w.price.output_per_1k} />
                          </td>
                          <td className="num">
                            <Amount wei={w.stake} digits={0} />
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              </Card>
            </>
          )
        }
      </Fetched>
    </>
  );
}
