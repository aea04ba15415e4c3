import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Amount, Button, ErrorNote, Id, Note } from '../ui/basic';
import { Dialog } from '../ui/dialog';
import { useReader, useWallet } from './context';

/** The connected account, or the way to connect one. */
export function AccountMenu() {
  const { signer, disconnect } = useWallet();
  const [shown, setShown] = useState(false);
  return (
    <div className="stack tight">
      {signer === null ? (
        <Button
          kind="primary"
          onClick={() => {
            setShown(true);
          }}
        >
          Connect account
        </Button>
      ) : (
        <>
          <Id value={signer.account.address} label="account" />
          <Balance account={signer.account.address} />
          <Button small onClick={disconnect}>
            Disconnect
          </Button>
        </>
      )}
      <ConnectDialog
        shown={shown}
        onClose={() => {
          setShown(false);
        }}
      />
    </div>
  );
}

function Balance({ account }: { account: `0x${string}` }) {
  const chain = useReader();
  const query = useQuery({
    queryKey: ['balance', account],
    queryFn: async () => (chain === null ? 0n : await chain.getBalance({ address: account })),
    enabled: chain !== null,
    refetchInterval: 10_000,
  });
  return query.data === undefined ? null : <Amount wei={query.data} digits={3} />;
}

/** Offers the browser's wallets and, on a development network, a key of this page. */
export function ConnectDialog({ shown, onClose }: { shown: boolean; onClose: () => void }) {
  const { wallets, local, connect, connectLocal } = useWallet();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const run = (work: () => Promise<void>) => {
    setBusy(true);
    setFailed(null);
    work()
      .then(onClose, setFailed)
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <Dialog title="Connect an account" shown={shown} onClose={onClose}>
      {failed !== null && <ErrorNote error={failed} />}
      {wallets.map((w) => (
        <Button
          key={w.rdns}
          busy={busy}
          onClick={() => {
            run(() => connect(w.rdns));
          }}
        >
          {w.name}
        </Button>
      ))}
      {local && (
        <>
          <Button kind="primary" busy={busy} onClick={() => { run(connectLocal); }}>
            Use a key of this browser
          </Button>
          <p className="small dim">
            This is a development network: the page makes a key, keeps it in this browser and gets some OPEN for it. The OPEN is worth nothing
            elsewhere.
          </p>
        </>
      )}
      {wallets.length === 0 && !local && (
        <Note tone="warn">No wallet was found in this browser. Install one that follows EIP-6963 and load the page again.</Note>
      )}
    </Dialog>
  );
}

/** Asks for an account where one is needed. */
export function NeedsAccount({ why }: { why: string }) {
  const [shown, setShown] = useState(false);
  return (
    <Note>
      <span>{why}</span>
      <span>
        <Button
          small
          kind="primary"
          onClick={() => {
            setShown(true);
          }}
        >
          Connect account
        </Button>
      </span>
      <ConnectDialog
        shown={shown}
        onClose={() => {
          setShown(false);
        }}
      />
    </Note>
  );
}
