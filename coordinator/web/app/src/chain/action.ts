import { useState } from 'react';
import { useToast } from '../ui/toast';

/** Work that a button starts: whether it is under way, and what went wrong. */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const toast = useToast();
  const run = (work: () => Promise<unknown>, done?: string) => {
    setBusy(true);
    setFailed(null);
    work()
      .then(() => {
        if (done !== undefined) toast('good', done);
      }, setFailed)
      .finally(() => {
        setBusy(false);
      });
  };
  return { busy, failed, run };
}
