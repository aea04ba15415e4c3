import { type ReactNode, useEffect, useId, useRef } from 'react';
import { Button } from './basic';

/**
 * A modal dialog. The browser's own element keeps the focus inside, closes on Escape and
 * gives the focus back; it needs no injected style, which the page's policy refuses.
 */
export function Dialog({ title, shown, onClose, children }: { title: string; shown: boolean; onClose: () => void; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    if (shown && !dialog.open) dialog.showModal();
    if (!shown && dialog.open) dialog.close();
  }, [shown]);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      // The event comes later: it is news only where nothing has closed or opened it meanwhile.
      onClose={() => {
        if (shown && ref.current?.open !== true) onClose();
      }}
    >
      {shown && (
        <div className="body">
          <div className="row spread">
            <h2 id={id}>{title}</h2>
            <Button small onClick={onClose}>
              Close
            </Button>
          </div>
          {children}
        </div>
      )}
    </dialog>
  );
}
