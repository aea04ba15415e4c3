import { useState } from 'react';
import { useKey } from '../../chain/key';
import { type Draft, type Key, keyActionText, keyRequestText, listKeys, makeKey, revokeKey, rotateKey } from '../../chain/keys';
import { many, open, short } from '../../lib/format';
import { keyState, type KeyState } from '../../lib/keys';
import { useNow } from '../../lib/now';
import { Amount, Badge, Button, Card, Empty, Note, When } from '../../ui/basic';
import { Dialog } from '../../ui/dialog';
import { useNetwork } from '../../wallet/context';
import { NewKey } from './newkey';
import { type Ask, SignDialog } from './sign';
import { useUsage } from './usage';

interface Secret {
  id: string;
  label: string;
  secret: string;
}

/** The account's API keys: each thing done with them is signed, after it was said what that means. */
export function Keys({ account }: { account: string }) {
  const network = useNetwork().data;
  const [kept, keep] = useKey(account);
  const [keys, setKeys] = useState<Key[] | null>(null);
  const [secret, setSecret] = useState<Secret | null>(null);
  const usage = useUsage(kept, 30);
  const keptID = secret !== null && secret.secret === kept ? secret.id : usage.data?.key;
  const [ask, setAsk] = useState<Ask | null>(null);
  const [form, setForm] = useState(false);
  if (network === undefined) return null;
  const peer = network.peer;

  const list = () => {
    setAsk({
      title: 'Show your keys',
      meaning: <p>The coordinator shows its list of your keys, with limits and what they spent, to whoever has this signature. Secrets are not in it.</p>,
      text: (at) => keyActionText(peer, 'List', account, at),
      send: async (at, signature) => {
        setKeys(await listKeys(account, at, signature));
      },
    });
  };
  const make = (d: Draft) => {
    setForm(false);
    setAsk({
      title: 'Make an API key',
      meaning: (
        <p>
          Whoever has the key can do this in your name, with what you put aside for answers: {may(d)}.{' '}
          {d.budget === undefined && d.budget_per_day === undefined ? 'It may spend all that is put aside.' : 'It may spend no more than its budget.'} You can end it at any time.
        </p>
      ),
      text: (at) => keyRequestText(peer, account, d, at),
      send: async (at, signature) => {
        const issued = await makeKey(account, d, at, signature);
        setSecret({ id: issued.id, label: d.label, secret: issued.key });
        setKeys((was) => was && [{ ...d, id: issued.id, account, created_at: at, spent: '0', spent_today: '0' }, ...was]);
      },
      done: 'The key is made',
    });
  };
  const rotate = (k: Key) => {
    setAsk({
      title: `New secret for “${k.label}”`,
      meaning: <p>The key gets a new secret, and the old one ends at once: what uses it must be given the new one. Limits stay, and what was spent still counts.</p>,
      text: (at) => keyActionText(peer, 'Rotate', account, at, k.id),
      send: async (at, signature) => {
        const issued = await rotateKey(k.id, at, signature);
        setSecret({ id: k.id, label: k.label, secret: issued.key });
        setKeys((was) => was?.map((o) => (o.id === k.id ? { ...o, created_at: at } : o)) ?? null);
        if (k.id === keptID) keep(issued.key);
      },
      done: 'The key has a new secret',
    });
  };
  const revoke = (k: Key) => {
    setAsk({
      title: `End “${k.label}”`,
      meaning: <p>The key ends at once and for ever: whatever uses it is refused from then on. Nothing that it paid changes.</p>,
      text: (at) => keyActionText(peer, 'Revoke', account, at, k.id),
      send: async (at, signature) => {
        const ended = await revokeKey(k.id, at, signature);
        setKeys((was) => was?.map((o) => (o.id === k.id ? ended : o)) ?? null);
        if (k.id === keptID) keep(null);
        if (k.id === secret?.id) setSecret(null);
      },
      done: 'The key has ended',
    });
  };

  return (
    <Card title="API keys">
      <p className="dim small">
        A key lets a program ask models in your name, as with OpenAI&apos;s API: base URL <code>{new URL('/v1', window.location.href).href}</code>. What it asks is paid from what you
        put aside. The coordinator keeps no secret, only its hash.
      </p>
      {secret !== null && <Shown key={secret.secret} secret={secret} kept={kept === secret.secret} onKeep={() => { keep(secret.secret); }} onDone={() => { setSecret(null); }} />}
      <div className="row">
        <Button kind="primary" onClick={() => { setForm(true); }}>
          Make a key
        </Button>
        <Button onClick={list}>{keys === null ? 'Show my keys' : 'Read them again'}</Button>
      </div>
      {keys !== null &&
        (keys.length === 0 ? (
          <Empty title="This account has no API key">
            <p>Make one above: programs that know OpenAI&apos;s API need nothing else.</p>
          </Empty>
        ) : (
          <KeyTable keys={keys} kept={keptID} onRotate={rotate} onRevoke={revoke} />
        ))}
      <Dialog title="Make an API key" shown={form} onClose={() => { setForm(false); }}>
        <NewKey onDraft={make} />
      </Dialog>
      <SignDialog ask={ask} onClose={() => { setAsk(null); }} />
    </Card>
  );
}

/** A new secret, which nobody can show again. */
function Shown({ secret: s, kept, onKeep, onDone }: { secret: Secret; kept: boolean; onKeep: () => void; onDone: () => void }) {
  const [copied, setCopied] = useState(false);
  const [failed, setFailed] = useState(false);
  return (
    <Note tone="good">
      <span>
        The secret of “{s.label}”. It is shown this once: copy it now, and give it to nobody else.
      </span>
      <code className="secret">{s.secret}</code>
      <div className="row">
        <Button
          small
          kind="primary"
          onClick={() => {
            navigator.clipboard.writeText(s.secret).then(() => { setCopied(true); }, () => { setFailed(true); });
          }}
        >
          {copied ? 'Copied' : 'Copy the secret'}
        </Button>
        <Button small disabled={kept} onClick={onKeep}>
          {kept ? 'Used in this browser' : 'Use it in this browser'}
        </Button>
        <Button small onClick={onDone}>
          I have it
        </Button>
      </div>
      {failed && <span className="small">This browser does not let the page copy: choose the text and copy it yourself.</span>}
    </Note>
  );
}

/** What a key may do, in words. */
function may(k: Draft): string {
  const until = k.expires === undefined ? '' : `, until ${new Date(k.expires).toLocaleString()}`;
  const models = k.models === undefined || k.models.length === 0 ? '' : `, with ${k.models.join(', ')} only`;
  return `${k.scopes === undefined || k.scopes.length === 0 ? 'everything that API keys can do' : k.scopes.join(', ')}${models}${until}`;
}

const tones: Record<KeyState, 'good' | 'bad' | 'warn'> = { valid: 'good', revoked: 'bad', expired: 'warn', spent: 'warn' };

function KeyTable({ keys, kept, onRotate, onRevoke }: { keys: Key[]; kept: string | undefined; onRotate: (k: Key) => void; onRevoke: (k: Key) => void }) {
  const now = useNow();
  return (
    <div className="table" role="region" aria-label="API keys" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th>Key</th>
            <th>State</th>
            <th>May</th>
            <th>A minute</th>
            <th className="num">Spent</th>
            <th className="num">Today</th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((k) => {
            const state = keyState(k, now);
            const name = k.label === '' ? short(k.id) : k.label;
            return (
              <tr key={k.id}>
                <td>
                  <strong>{name}</strong> {k.id === kept && <Badge tone="accent">this browser</Badge>}
                  <div className="dim small nowrap">
                    <code title={k.id}>{short(k.id)}</code>, <When at={k.created_at} now={now} />
                  </div>
                </td>
                <td>
                  <Badge tone={tones[state]}>{state}</Badge>
                </td>
                <td className="small">{may(k)}</td>
                <td className="small">
                  {[k.requests_per_minute && many(k.requests_per_minute, 'request'), k.tokens_per_minute && many(k.tokens_per_minute, 'token')].filter(Boolean).join(', ') || 'no limit'}
                </td>
                <td className="num">
                  <Amount wei={k.spent} />
                  {k.budget !== undefined && <div className="dim small">of {open(k.budget, 6)}</div>}
                </td>
                <td className="num">
                  <Amount wei={k.spent_today} />
                  {k.budget_per_day !== undefined && <div className="dim small">of {open(k.budget_per_day, 6)}</div>}
                </td>
                <td>
                  {state !== 'revoked' && (
                    <div className="row nowrap">
                      <Button small aria-label={`Rotate ${name}`} onClick={() => { onRotate(k); }}>
                        Rotate
                      </Button>
                      <Button small kind="danger" aria-label={`End ${name}`} onClick={() => { onRevoke(k); }}>
                        End
                      </Button>
                    </div>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
