import { useState } from 'react';
import { useAction } from '../../chain/action';
import { authorize, delegateScopes, endDelegate, type Grant, useGrant } from '../../chain/delegates';
import { useTransact } from '../../chain/transact';
import { useNow } from '../../lib/now';
import { Button, Card, ErrorNote, Id, Note } from '../../ui/basic';
import { SelectField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { useNetwork } from '../../wallet/context';

/** What the coordinator may do in the account's name, and letting it or ending it. */
export function Allowed() {
  const grant = useGrant();
  return (
    <Card title="In your name">
      <p className="dim small">
        Clients that send only an API key, such as OpenAI&apos;s, cannot sign. For their fine-tunes and datanets the coordinator&apos;s key can act in your name. What it
        makes is yours, and it can move none of your OPEN beyond what is put aside.
      </p>
      <Fetched query={grant} what="what you allow the coordinator">
        {(g) => <Allow key={`${g.scopes} ${g.until}`} grant={g} />}
      </Fetched>
    </Card>
  );
}

function Allow({ grant: g }: { grant: Grant }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const now = useNow();
  const { busy, failed, run } = useAction();
  const active = g.until * 1000 > now;
  const [scopes, setScopes] = useState(active ? g.scopes : 0);
  const [days, setDays] = useState(90);
  const [wrong, setWrong] = useState(false);
  const names = delegateScopes.filter((s) => (g.scopes & s.bit) !== 0).map((s) => s.name.toLowerCase());
  const send = () => {
    setWrong(scopes === 0);
    if (network === undefined || scopes === 0) return;
    run(() => transact(authorize(network, scopes, Math.floor(Date.now() / 1000) + days * 86_400)), 'Allowed');
  };
  const end = () => {
    if (network === undefined) return;
    run(() => transact(endDelegate(network)), 'It may act for you no more');
  };
  return (
    <form
      className="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        send();
      }}
    >
      {failed !== null && <ErrorNote error={failed} />}
      <p>
        {active ? (
          <>
            <strong>It may {names.join(', ')}</strong> until {new Date(g.until * 1000).toLocaleString()}.
          </>
        ) : (
          'It may do nothing in your name now.'
        )}{' '}
        {network !== undefined && <span className="small">Its key is <Id value={network.session_key} label="account" /></span>}
      </p>
      <fieldset>
        <legend className="small">Let it</legend>
        {delegateScopes.map((s) => (
          <label key={s.bit} className="row">
            <input
              type="checkbox"
              checked={(scopes & s.bit) !== 0}
              onChange={(e) => { setScopes(e.target.checked ? scopes | s.bit : scopes & ~s.bit); }}
            />
            <span>
              {s.name} <span className="dim small">{s.means}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {wrong && <Note tone="error">Choose what it may do.</Note>}
      <SelectField label="For" value={days} onChange={(e) => { setDays(Number(e.target.value)); }}>
        {[1, 30, 90, 365].map((d) => (
          <option key={d} value={d}>
            {d === 1 ? 'a day' : d === 365 ? 'a year' : `${d} days`}
          </option>
        ))}
      </SelectField>
      <p className="dim small">One transaction, which costs gas. It takes the place of what you allowed before.</p>
      <div className="row">
        <Button type="submit" busy={busy}>
          {active ? 'Change what it may do' : 'Allow'}
        </Button>
        {active && (
          <Button kind="danger" busy={busy} onClick={end}>
            End at once
          </Button>
        )}
      </div>
    </form>
  );
}
