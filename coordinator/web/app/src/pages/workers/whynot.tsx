import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { Amount, Badge, Card, ErrorNote, Loading, Note } from '../../ui/basic';
import { SelectField, TextField } from '../../ui/form';

type Offer = Schemas['Quote']['workers'][number];

/** A whole number of tokens from text, or what is wrong with it. */
function tokens(text: string): number | string {
  return /^[0-9]{1,6}$/.test(text.trim()) && Number(text) > 0 ? Number(text) : 'Write a whole number above 0.';
}

/** Who would answer a request now, and why not the others: the coordinator's quote, which runs and reserves nothing. With a peer, of that worker only. */
export function WhyNot({ peer }: { peer?: string }) {
  const [model, setModel] = useState('');
  const [prompt, setPrompt] = useState('200');
  const [answer, setAnswer] = useState('100');
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), staleTime: 10_000 });
  const name = model === '' ? models.data?.models[0]?.id : model;
  const read = tokens(prompt);
  const written = tokens(answer);
  const asked = useDeferredValue(JSON.stringify(name === undefined || typeof read === 'string' || typeof written === 'string' ? null : { model: name, prompt_tokens: read, max_tokens: written }));
  const quote = useQuery({
    queryKey: ['quote', asked],
    enabled: asked !== 'null',
    retry: false,
    refetchInterval: 5000,
    placeholderData: keepPreviousData,
    queryFn: () => data(api.POST('/api/v1/quotes', { body: { kind: 'inference', ...(JSON.parse(asked) as { model: string; prompt_tokens: number; max_tokens: number }) } })),
  });
  return (
    <Card title={peer === undefined ? 'Who would answer' : 'Would it be chosen?'}>
      <div className="grid">
        <SelectField label="Model" value={name ?? ''} onChange={(e) => { setModel(e.target.value); }}>
          {models.data?.models.map((m) => (
            <option key={m.id} value={m.id}>
              {m.id}
            </option>
          ))}
        </SelectField>
        <TextField label="Tokens of the question" inputMode="numeric" value={prompt} wrong={typeof read === 'string' ? read : undefined} onChange={(e) => { setPrompt(e.target.value); }} />
        <TextField label="Tokens of the answer, at most" inputMode="numeric" value={answer} wrong={typeof written === 'string' ? written : undefined} onChange={(e) => { setAnswer(e.target.value); }} />
      </div>
      {models.isError && <ErrorNote error={models.error} retry={() => void models.refetch()} />}
      {quote.isError ? <ErrorNote error={quote.error} /> : quote.data === undefined ? <Loading what="who would answer" /> : <Offers offers={quote.data.workers} {...(peer === undefined ? {} : { peer })} />}
      <p className="dim small">As things stand now: load, prices and adapters may be others when a request comes.</p>
    </Card>
  );
}

function Offers({ offers, peer }: { offers: Offer[]; peer?: string }) {
  const chosen = offers.find((o) => o.chosen);
  const shown = peer === undefined ? offers : offers.filter((o) => o.peer === peer || o.chosen);
  if (offers.length === 0) return <Note tone="warn">No worker within reach serves the base of this model.</Note>;
  return (
    <>
      {chosen === undefined && <Note tone="warn">No worker would take it at once: it would wait for one.</Note>}
      <div className="table">
        <table>
          <thead>
            <tr>
              <th>Worker</th>
              <th>Would it answer?</th>
              <th>Why</th>
              <th className="num">First token after</th>
              <th className="num">Cost</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((o) => (
              <tr key={o.peer}>
                <td className="nowrap">
                  <Link to="/workers/$id" params={{ id: o.peer }}>
                    <code>…{o.peer.slice(-10)}</code>
                  </Link>
                </td>
                <td>{o.chosen ? <Badge tone="good">chosen</Badge> : o.eligible ? <Badge>could</Badge> : <Badge tone="warn">no</Badge>}</td>
                <td className="why">{o.reason}</td>
                <td className="num">{o.first_token === undefined ? '–' : `${o.first_token} ms`}</td>
                <td className="num">
                  <Amount wei={o.cost} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
