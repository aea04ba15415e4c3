import { Check } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useAction } from '../../chain/action';
import { useEscrow } from '../../chain/escrow';
import { keyLabel, useKey } from '../../chain/key';
import { issueKey } from '../../chain/keys';
import { spendable } from '../../chain/spending';

import { useNow } from '../../lib/now';
import { Amount, Button, Card, ErrorNote, When } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { ConnectDialog } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';
import { EscrowActions, Fund } from '../../wallet/escrow';

/** What is needed before the first question: an account, OPEN set aside, a key. */
export function Ready({ children }: { children: (apiKey: string) => ReactNode }) {
  const { signer } = useWallet();
  const [key] = useKey(signer?.account.address);
  const escrow = useEscrow();
  const now = useNow();
  const money = escrow.data === undefined ? null : spendable(escrow.data, now);
  if (signer !== null && key !== null && money !== null && money > 0n) return <>{children(key)}</>;
  return (
    <Card title="Three steps to your first answer">
      <ol className="steps">
        <Step done={signer !== null} title="Connect an account">
          <Connect />
        </Step>
        <Step done={money !== null && money > 0n} title="Put OPEN aside for answers">
          {signer === null ? <p className="dim">It pays for what you ask, and you can take back what is left.</p> : <Fetched query={escrow} what="what you have put aside">{(e) => <Fund escrow={e} />}</Fetched>}
        </Step>
        <Step done={key !== null && signer !== null} title="Sign for a key">
          {signer === null ? <p className="dim">One signature, no fee. The key stays in this browser.</p> : <GetKey />}
        </Step>
      </ol>
    </Card>
  );
}

function Step({ done, title, children }: { done: boolean; title: string; children: ReactNode }) {
  return (
    <li data-done={done}>
      <h3>
        {title} {done && <Check size={16} aria-label="done" />}
      </h3>
      {!done && children}
    </li>
  );
}

function Connect() {
  const [shown, setShown] = useState(false);
  return (
    <div>
      <Button kind="primary" onClick={() => { setShown(true); }}>
        Connect account
      </Button>
      <ConnectDialog shown={shown} onClose={() => { setShown(false); }} />
    </div>
  );
}

function GetKey() {
  const network = useNetwork().data;
  const { signer } = useWallet();
  const [, keep] = useKey(signer?.account.address);
  const { busy, failed, run } = useAction();
  return (
    <div className="stack tight">
      {failed !== null && <ErrorNote error={failed} />}
      <p className="dim small">The key stands for your account when you ask. It is kept in this browser; you can forget it at any time.</p>
      <span>
        <Button
          kind="primary"
          busy={busy}
          onClick={() => {
            run(async () => {
              if (network === undefined || signer === null) throw new Error('The network is not known yet: wait a moment and try again.');
              keep(await issueKey(network, signer, { label: keyLabel }));
            });
          }}
        >
          Sign for a key
        </Button>
      </span>
    </div>
  );
}

/** What is left for answers, with ways to add, to take back, and to forget the key. */
export function Purse() {
  const escrow = useEscrow();
  const now = useNow();
  const { signer } = useWallet();
  const [, keep] = useKey(signer?.account.address);
  return (
    <Card title="For answers">
      <Fetched query={escrow} what="what you have put aside">
        {(e) => (
          <>
            <dl className="facts">
              <dt>Left to spend</dt>
              <dd>
                <Amount wei={spendable(e, now)} />
              </dd>
              <dt>Put aside</dt>
              <dd>
                <Amount wei={e.held} />
              </dd>
              <dt>Allowed until</dt>
              <dd>{new Date(e.expiry * 1000).toLocaleDateString()}</dd>
              {e.withdrawal !== null && (
                <>
                  <dt>On its way back</dt>
                  <dd>
                    <Amount wei={e.withdrawal.amount} /> {e.withdrawal.releaseAt * 1000 > now ? <When at={e.withdrawal.releaseAt * 1000} now={now} /> : 'now'}
                  </dd>
                </>
              )}
            </dl>
            <EscrowActions escrow={e} small>
              <Button small onClick={() => { keep(null); }}>
                Forget key
              </Button>
            </EscrowActions>
          </>
        )}
      </Fetched>
    </Card>
  );
}
