import { useState } from 'react';
import { useAction } from '../../chain/action';
import { useEscrow } from '../../chain/escrow';
import { endSession, type Escrow, spendable } from '../../chain/spending';
import { useTransact } from '../../chain/transact';
import { duration } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Button, Card, ErrorNote, When } from '../../ui/basic';
import { Dialog } from '../../ui/dialog';
import { Fetched } from '../../ui/query';
import { useNetwork } from '../../wallet/context';
import { EscrowActions } from '../../wallet/escrow';

/** What is put aside for answers: how much is free, how much the coordinator may spend, and until when. */
export function EscrowCard() {
  const escrow = useEscrow();
  return (
    <Card title="Put aside for answers">
      <Fetched query={escrow} what="what you have put aside">
        {(e) => <Held escrow={e} />}
      </Fetched>
    </Card>
  );
}

function Held({ escrow: e }: { escrow: Escrow }) {
  const now = useNow();
  const [ending, setEnding] = useState(false);
  const shut = () => { setEnding(false); };
  const allowed = e.expiry * 1000 > now;
  return (
    <>
      <p className="dim small">The escrow contract holds it. Workers are paid from it for answers, each against a receipt; your API keys spend it.</p>
      <dl className="facts">
        <dt>Held in all</dt>
        <dd><Amount wei={e.held} /></dd>
        <dt>Free</dt>
        <dd><Amount wei={e.available} /></dd>
        <dt>Reserved for workers</dt>
        <dd><Amount wei={e.reserved} /></dd>
        <dt>The coordinator may spend</dt>
        <dd>
          <Amount wei={spendable(e, now)} />{' '}
          <span className="dim small">{e.expiry === 0 ? 'you have not allowed it anything yet' : allowed ? <>ends <When at={e.expiry * 1000} now={now} /></> : <>what you allowed ended <When at={e.expiry * 1000} now={now} /></>}</span>
        </dd>
        <dt>It has spent</dt>
        <dd>
          <Amount wei={e.spent} /> <span className="dim small">drawn by settled batches, of <Amount wei={e.limit} /> allowed</span>
        </dd>
        {e.withdrawal !== null && (
          <>
            <dt>On its way back</dt>
            <dd>
              <Amount wei={e.withdrawal.amount} /> can be taken out {e.withdrawal.releaseAt * 1000 > now ? <When at={e.withdrawal.releaseAt * 1000} now={now} /> : 'now'}
            </dd>
          </>
        )}
      </dl>
      <EscrowActions escrow={e}>
        {allowed && (
          <Button kind="danger" onClick={() => { setEnding(true); }}>
            End allowance
          </Button>
        )}
      </EscrowActions>
      <Dialog title="End what the coordinator may spend" shown={ending} onClose={shut}>
        <End escrow={e} onDone={shut} />
      </Dialog>
    </>
  );
}

function End({ escrow: e, onDone }: { escrow: Escrow; onDone: () => void }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  return (
    <>
      {failed !== null && <ErrorNote error={failed} />}
      <p>
        In {duration(e.delay * 1000)} the coordinator can spend nothing more of yours, and all of your API keys stop answering. What it owes workers until then is still
        paid. What is left stays in the escrow until you take it back.
      </p>
      <div>
        <Button
          kind="danger"
          busy={busy}
          disabled={network === undefined}
          onClick={() => {
            run(async () => {
              if (network === undefined) return;
              await transact(endSession(network));
              onDone();
            }, `It ends in ${duration(e.delay * 1000)}`);
          }}
        >
          End it
        </Button>
      </div>
    </>
  );
}
