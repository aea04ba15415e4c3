import { type ReactNode, useState } from 'react';
import { encodeFunctionData } from 'viem';
import { escrowAbi } from '../chain/abi';
import { useAction } from '../chain/action';
import { contract } from '../chain/contract';
import { type Escrow, openEscrow } from '../chain/spending';
import { useTransact } from '../chain/transact';
import { duration, open, wei } from '../lib/format';
import { useNow } from '../lib/now';
import { Amount, Button, ErrorNote, When } from '../ui/basic';
import { Dialog } from '../ui/dialog';
import { TextField } from '../ui/form';
import { useNetwork } from './context';

/** The ways to put more into the escrow and to take it back; further ways stand beside them. */
export function EscrowActions({ escrow: e, small = false, children }: { escrow: Escrow; small?: boolean; children?: ReactNode }) {
  const now = useNow();
  const [dialog, setDialog] = useState<'add' | 'withdraw' | null>(null);
  const shut = () => { setDialog(null); };
  return (
    <>
      <div className="row">
        <Button small={small} kind={small ? 'plain' : 'primary'} onClick={() => { setDialog('add'); }}>
          Add
        </Button>
        <Button small={small} disabled={e.available === 0n && e.withdrawal === null} onClick={() => { setDialog('withdraw'); }}>
          {e.withdrawal === null ? 'Take back' : e.withdrawal.releaseAt * 1000 > now ? 'Withdrawal' : 'Take it out'}
        </Button>
        {children}
      </div>
      <Dialog title="Put more OPEN aside" shown={dialog === 'add'} onClose={shut}>
        <Fund escrow={e} onDone={shut} />
      </Dialog>
      <Dialog title="Take OPEN back" shown={dialog === 'withdraw'} onClose={shut}>
        <Withdraw escrow={e} onDone={shut} />
      </Dialog>
    </>
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
    }, amount === 0n ? 'What is there may be spent' : `${open(amount)} OPEN put aside`);
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

/** Takes OPEN back: asked for, waited for, taken out. */
function Withdraw({ escrow, onDone }: { escrow: Escrow; onDone: () => void }) {
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
          <Amount wei={escrow.withdrawal.amount} /> {due ? 'can be taken out now.' : <>can be taken out <When at={escrow.withdrawal.releaseAt * 1000} now={now} />.</>}
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
