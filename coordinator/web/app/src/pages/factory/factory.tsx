import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, data, type Schemas } from '../../api/client';
import { duration } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Badge, Card, Empty, Note, PageHead, When } from '../../ui/basic';
import { Fetched } from '../../ui/query';

const tones = { queued: 'plain', running: 'accent', paused: 'warn', succeeded: 'good', failed: 'bad', cancelled: 'warn' } as const;

/** How a training stands. */
export function StateBadge({ state }: { state: Schemas['TrainingStatus']['state'] }) {
  return <Badge tone={tones[state]}>{state}</Badge>;
}

/** The trainings that this coordinator took, and the way to a new one. */
export default function Factory() {
  const jobs = useQuery({ queryKey: ['trainings'], queryFn: () => data(api.GET('/api/v1/training_jobs')), refetchInterval: 2000 });
  const now = useNow();
  return (
    <>
      <PageHead title="ModelFactory" sub="Teach a model the records of a datanet. No code: choose, look at an example, start.">
        <Link to="/factory/new" search={{}} className="button primary">
          Train an adapter
        </Link>
      </PageHead>
      <Note>Trainings run on the network&apos;s workers, not in this page: close the tab whenever you like, and find them here again.</Note>
      <Fetched query={jobs} what="trainings">
        {({ training_jobs: list }) =>
          list.length === 0 ? (
            <Card>
              <Empty title="No training yet">
                <p>
                  Train on a <Link to="/datanets">datanet</Link> that has a published version.
                </p>
              </Empty>
            </Card>
          ) : (
            <div className="grid">
              {list.map((j) => (
                <Link key={j.id} to="/factory/$id" params={{ id: j.id }} className="card">
                  <span className="row spread">
                    <strong>{j.name}</strong>
                    <StateBadge state={j.state} />
                  </span>
                  {j.state === 'running' && j.progress.steps > 0 && (
                    <>
                      <progress className="progress" max={j.progress.steps} value={j.progress.step} aria-label={`${j.name}: steps done`} />
                      <span className="small dim">
                        step {j.progress.step} of {j.progress.steps}
                        {j.progress.eta_ms > 0 && `, about ${duration(j.progress.eta_ms)} left`}
                      </span>
                    </>
                  )}
                  {j.result !== undefined && (
                    <span className="small dim">
                      loss {j.result.loss_first.toFixed(3)} → {j.result.loss_last.toFixed(3)}, {duration(j.result.seconds * 1000)}
                    </span>
                  )}
                  {j.terms !== undefined && (
                    <span className="small dim">
                      datanet {j.terms.datanet}, version {j.terms.version}, ordered <When at={j.terms.at} now={now} />
                    </span>
                  )}
                  {j.error !== undefined && j.error !== '' && <span className="small">{j.error}</span>}
                </Link>
              ))}
            </div>
          )
        }
      </Fetched>
    </>
  );
}
