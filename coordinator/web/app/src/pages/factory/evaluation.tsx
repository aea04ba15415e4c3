import { useQuery } from '@tanstack/react-query';
import { api, data, type Schemas } from '../../api/client';
import { count, many, percent } from '../../lib/format';
import { Badge, Card } from '../../ui/basic';
import { Fetched } from '../../ui/query';

type Report = Schemas['TrainingReport'];

/** How an adapter does on records that its training held out, beside its base. */
export function Evaluation({ adapter }: { adapter: string }) {
  const report = useQuery({
    queryKey: ['evaluation', adapter],
    staleTime: Infinity,
    queryFn: () => data(api.GET('/api/v1/adapters/{id}/evaluation', { params: { path: { id: adapter } } })),
  });
  return (
    <Card title="Beside the base">
      <Fetched query={report} what="the evaluation">{(r) => <Shown report={r} />}</Fetched>
    </Card>
  );
}

function Shown({ report: r }: { report: Report }) {
  const exact = (e: Schemas['TrainingEval']) => `${count(e.exact)} of ${count(e.records)} (${percent(e.records === 0 ? 0 : e.exact / e.records, 0)})`;
  return (
    <>
      <p className="dim">
        {many(r.best.records, 'record was', 'records were')} held out: the training never saw {r.best.records === 1 ? 'it' : 'them'}. The worker asked the base and the adapter the same questions; the right answers are those of the records.
      </p>
      <div className="table" role="region" aria-label="Base and adapter on the held-out records" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">On held-out records</th>
              <th scope="col" className="num">Loss</th>
              <th scope="col" className="num">Exact answers</th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">Base</th>
              <td className="num nowrap">{r.base.loss.toFixed(4)}</td>
              <td className="num nowrap">{exact(r.base)}</td>
            </tr>
            <tr>
              <th scope="row">Adapter</th>
              <td className="num nowrap">{r.best.loss.toFixed(4)}</td>
              <td className="num nowrap">{exact(r.best)}</td>
            </tr>
          </tbody>
        </table>
      </div>
      {r.answers.length > 0 && (
        <div className="table" role="region" aria-label="Answers side by side" tabIndex={0}>
          <table className="sides">
            <thead>
              <tr>
                <th scope="col">Question</th>
                <th scope="col">The record says</th>
                <th scope="col">Base</th>
                <th scope="col">Adapter</th>
              </tr>
            </thead>
            <tbody>
              {r.answers.map((a) => (
                <tr key={a.record}>
                  <th scope="row" data-label="Question">{a.prompt}</th>
                  <td data-label="The record says">{a.reference}</td>
                  {a.unanswered === undefined ? (
                    <>
                      <td data-label="Base"><Answer text={a.base} exact={a.base_exact} /></td>
                      <td data-label="Adapter"><Answer text={a.adapter} exact={a.adapter_exact} /></td>
                    </>
                  ) : (
                    <td colSpan={2} data-label="Neither was asked" className="dim">{a.unanswered}</td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Answer({ text, exact }: { text: string; exact: boolean }) {
  return (
    <>
      <span className="prose">{text === '' ? '(nothing)' : text}</span> {exact && <Badge tone="good">exact</Badge>}
    </>
  );
}
