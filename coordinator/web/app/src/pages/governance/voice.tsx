// The connected account's GOPEN, its delegate and its votes.
import { useState } from 'react';
import { type Address, isAddress } from 'viem';
import { useAction } from '../../chain/action';
import { delegate, unwrap, wrap } from '../../chain/governance';
import { type Call, useTransact } from '../../chain/transact';
import { useVoice } from '../../chain/voice';
import { open, wei } from '../../lib/format';
import { Amount, Button, Card, ErrorNote, Id } from '../../ui/basic';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { NeedsAccount } from '../../wallet/account';
import { type Network, useNetwork, useWallet } from '../../wallet/context';

/** The votes of the connected account; `wanted` is the amount that it is offered to wrap. */
export function Voice({ wanted }: { wanted?: bigint }) {
  const { signer } = useWallet();
  const voice = useVoice();
  return (
    <Card title="Your votes">
      {signer === null ? (
        <NeedsAccount why="Connect an account to see its votes, and to vote." />
      ) : (
        <Fetched query={voice} what="your votes">
          {(v) => (
            <>
              <dl className="facts">
                <dt>Votes</dt>
                <dd>
                  {open(v.votes, 6)} <span className="dim">your own and those delegated to you</span>
                </dd>
                <dt>GOPEN</dt>
                <dd>{open(v.balance, 6)}</dd>
                <dt>Delegated to</dt>
                <dd>{v.delegate === null ? 'nobody: it does not vote until you delegate it, to yourself for instance' : v.delegate.toLowerCase() === v.account.toLowerCase() ? 'yourself' : <Id value={v.delegate} label="account" />}</dd>
              </dl>
              <div className="grid two">
                <Wrapping held={v.balance} wanted={wanted} />
                <Delegating own={v.account} to={v.delegate} />
              </div>
            </>
          )}
        </Fetched>
      )}
    </Card>
  );
}

/** Sends a call made for the network; `check` throws with what is wrong. */
function useSend() {
  const network = useNetwork().data;
  const transact = useTransact();
  const action = useAction();
  const [wrong, setWrong] = useState<string>();
  const send = (make: (network: Network) => Call, done: string) => {
    if (network === undefined) return;
    let call: Call;
    try {
      call = make(network);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
      return;
    }
    setWrong(undefined);
    action.run(() => transact(call), done);
  };
  return { ...action, wrong, send };
}

function Wrapping({ held, wanted }: { held: bigint; wanted: bigint | undefined }) {
  const [text, setText] = useState(wanted === undefined ? '100' : open(wanted).replaceAll(',', ''));
  const { busy, failed, wrong, send } = useSend();
  const amount = (most?: bigint) => {
    const v = wei(text);
    if (v === 0n || (most !== undefined && v > most)) throw new Error(most === undefined ? 'Write an amount above 0.' : `Write an amount up to ${open(most)}.`);
    return v;
  };
  return (
    <form
      className="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        send((n) => wrap(n, amount()), 'Wrapped');
      }}
    >
      {failed !== null && <ErrorNote error={failed} />}
      <TextField label="OPEN for voting" inputMode="decimal" value={text} wrong={wrong} hint="One GOPEN for each OPEN, and back at any time." onChange={(e) => { setText(e.target.value); }} />
      <div className="row">
        <Button type="submit" kind="primary" busy={busy}>
          Wrap
        </Button>
        <Button busy={busy} disabled={held === 0n} onClick={() => { send((n) => unwrap(n, amount(held)), 'Unwrapped'); }}>
          Unwrap
        </Button>
        <span className="dim small">
          you have <Amount wei={held} digits={4} /> wrapped
        </span>
      </div>
    </form>
  );
}

function Delegating({ own, to }: { own: Address; to: Address | null }) {
  const [text, setText] = useState<string>(to ?? own);
  const { busy, failed, wrong, send } = useSend();
  return (
    <form
      className="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        send((n) => {
          const at = text.trim();
          if (!isAddress(at, { strict: false })) throw new Error('Write an account: 0x and 40 hex digits.');
          return delegate(n, at);
        }, 'Delegated');
      }}
    >
      {failed !== null && <ErrorNote error={failed} />}
      <TextField label="Who votes with your GOPEN" value={text} wrong={wrong} hint="It stays yours; only the votes move." onChange={(e) => { setText(e.target.value); }} />
      <div>
        <Button type="submit" kind="primary" busy={busy}>
          Delegate
        </Button>
      </div>
    </form>
  );
}
