import { useState, type ReactNode } from 'react';
import type { Hex } from 'viem';
import { useAction } from '../../chain/action';
import { useNow } from '../../lib/now';
import { Button, ErrorNote, message } from '../../ui/basic';
import { Dialog } from '../../ui/dialog';
import { useWallet } from '../../wallet/context';

/** Something that an account signs: what it means, the text, and what is done with the signature. */
export interface Ask {
  title: string;
  /** In plain words, what the signature allows. */
  meaning: ReactNode;
  /** The text, for a time in Unix milliseconds. */
  text: (at: number) => string;
  send: (at: number, signature: Hex) => Promise<void>;
  done?: string;
}

/** Shows what would be signed, in words and to the letter, before anything is. */
export function SignDialog({ ask, onClose }: { ask: Ask | null; onClose: () => void }) {
  return (
    <Dialog title={ask?.title ?? ''} shown={ask !== null} onClose={onClose}>
      {ask !== null && <Signing ask={ask} onDone={onClose} />}
    </Dialog>
  );
}

function Signing({ ask, onDone }: { ask: Ask; onDone: () => void }) {
  const { signer } = useWallet();
  // A signature is good for five minutes: a dialog that stays open moves with the clock,
  // until the wallet has been asked.
  const now = useNow(60_000);
  const [asked, setAsked] = useState<number | null>(null);
  const { busy, failed, run } = useAction();
  const at = asked ?? now;
  const text = written(ask, at);
  const sign = () => {
    if (signer === null || text instanceof Error) return;
    setAsked(at);
    run(async () => {
      try {
        await ask.send(at, await signer.signMessage({ message: text }));
      } catch (error) {
        throw /user rejected|denied/i.test(message(error)) ? new Error('You declined it in your wallet. Nothing was sent.') : error;
      } finally {
        setAsked(null);
      }
      onDone();
    }, ask.done);
  };
  return (
    <>
      {failed !== null && <ErrorNote error={failed} />}
      {ask.meaning}
      <p className="dim small">You sign this text. It is no transaction, costs nothing, and is good at this coordinator only, for five minutes:</p>
      {text instanceof Error ? <ErrorNote error={text} /> : <pre className="signed small">{text}</pre>}
      <div className="row">
        <Button kind="primary" busy={busy} disabled={text instanceof Error} onClick={sign}>
          Sign
        </Button>
        <Button disabled={busy} onClick={onDone}>
          Do not sign
        </Button>
      </div>
    </>
  );
}

function written(ask: Ask, at: number): string | Error {
  try {
    return ask.text(at);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
