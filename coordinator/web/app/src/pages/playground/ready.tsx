import { Check } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { encodeFunctionData } from 'viem';
import { escrowAbi } from '../../chain/abi';
import { useAction } from '../../chain/action';
import { useEscrow } from '../../chain/escrow';
import { contract } from '../../chain/contract';
import { keyLabel, useKey } from '../../chain/key';
import { issueKey } from '../../chain/keys';
import { type Escrow, openEscrow, spendable } from '../../chain/spending';
import { useTransact } from '../../chain/transact';
import { ago, duration, open, wei } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Button, Card, ErrorNote } from '../../ui/basic';
import { Dialog } from '../../ui/dialog';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { ConnectDialog } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';

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

/** Puts OPEN into the escrow and lets the coordinator spend it, in one transaction. */
export function Fund({ escrow, onDone }: { escrow: Escrow; onDone?: () => void }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const [text, setText] = useState('10');
  const [wrong, setWrong] = useState<string>();
  const send = () => {
    if (network === undefined) return;
    let amount: bigint;
    try {
      amount = wei(text);
      if (amount === 0n && escrow.available === 0n) throw new Error('Put something aside: 1 OPEN is enough for many answers.');
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
      return;
    }
    setWrong(undefined);
    run(async () => {
      await transact(openEscrow(network, escrow, amount, Date.now()));
      onDone?.();
    }, `${open(amount)} OPEN put aside`);
  };
  return (
    <form
      className="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        send();
      }}
    >
      <p className="dim small">
        Only answers that you ask for are paid from it, each against a receipt. What is left you can take back; that takes {duration(escrow.delay * 1000)},
        so that workers are paid first.
      </p>
      {failed !== null && <ErrorNote error={failed} />}
      <div className="row end">
        <TextField label="Amount in OPEN" inputMode="decimal" value={text} wrong={wrong} onChange={(e) => { setText(e.target.value); }} />
        <Button type="submit" kind="primary" busy={busy}>
          Put aside
        </Button>
      </div>
    </form>
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
  const [dialog, setDialog] = useState<'add' | 'withdraw' | null>(null);
  const shut = () => { setDialog(null); };
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
                    <Amount wei={e.withdrawal.amount} /> {e.withdrawal.releaseAt * 1000 > now ? ago(e.withdrawal.releaseAt * 1000, now) : 'now'}
                  </dd>
                </>
              )}
            </dl>
            <div className="row">
              <Button small onClick={() => { setDialog('add'); }}>
                Add
              </Button>
              <Button small onClick={() => { setDialog('withdraw'); }}>
                Take back
              </Button>
              <Button small onClick={() => { keep(null); }}>
                Forget key
              </Button>
            </div>
            <Dialog title="Put more OPEN aside" shown={dialog === 'add'} onClose={shut}>
              <Fund escrow={e} onDone={shut} />
            </Dialog>
            <Dialog title="Take OPEN back" shown={dialog === 'withdraw'} onClose={shut}>
              <Withdraw escrow={e} onDone={shut} />
            </Dialog>
          </>
        )}
      </Fetched>
    </Card>
  );
}

/** Takes OPEN back: asked for, waited for, taken out. */
export function Withdraw({ escrow, onDone }: { escrow: Escrow; onDone: () => void }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const now = useNow();
  const { busy, failed, run } = useAction();
  const [text, setText] = useState(() => open(escrow.available).replaceAll(',', ''));
  const [wrong, setWrong] = useState<string>();
  const to = network === undefined ? '' : contract(network, 'escrow');
  const request = () => {
    try {
      const amount = wei(text);
      if (amount === 0n || amount > escrow.available) throw new Error(`Write an amount up to ${open(escrow.available)}.`);
      setWrong(undefined);
      run(async () => {
        await transact({ to, data: encodeFunctionData({ abi: escrowAbi, functionName: 'requestWithdrawal', args: [amount] }) });
        onDone();
      }, 'On its way: come back when the wait is over');
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const simple = (functionName: 'cancelWithdrawal' | 'executeWithdrawal', done: string) => {
    run(async () => {
      await transact({ to, data: encodeFunctionData({ abi: escrowAbi, functionName }) });
      onDone();
    }, done);
  };
  if (escrow.withdrawal !== null) {
    const due = escrow.withdrawal.releaseAt * 1000 <= now;
    return (
      <>
        {failed !== null && <ErrorNote error={failed} />}
        <p>
          <Amount wei={escrow.withdrawal.amount} /> {due ? 'can be taken out now.' : <>can be taken out {ago(escrow.withdrawal.releaseAt * 1000, now)}.</>}
        </p>
        <div className="row">
          <Button kind="primary" disabled={!due} busy={busy} onClick={() => { simple('executeWithdrawal', 'Taken back'); }}>
            Take it out
          </Button>
          <Button busy={busy} onClick={() => { simple('cancelWithdrawal', 'It stays aside for answers'); }}>
            Leave it there
          </Button>
        </div>
      </>
    );
  }
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault();
        request();
      }}
    >
      {failed !== null && <ErrorNote error={failed} />}
      <TextField label="Amount in OPEN" inputMode="decimal" value={text} wrong={wrong} onChange={(e) => { setText(e.target.value); }} hint={`It can be taken out after ${duration(escrow.delay * 1000)}.`} />
      <Button type="submit" kind="primary" busy={busy}>
        Take back
      </Button>
    </form>
  );
}
