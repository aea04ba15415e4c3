import { createContext, type ReactNode, use, useCallback, useMemo, useState } from 'react';
import { Note } from './basic';

type Tone = 'good' | 'error' | 'info';
type Show = (tone: Tone, text: string) => void;

const Context = createContext<Show>(() => undefined);

/** Says something for some seconds, read out to screen readers. */
export function useToast(): Show {
  return use(Context);
}

/** Where toasts appear. */
export function Toasts({ children }: { children: ReactNode }) {
  const [list, setList] = useState<{ id: number; tone: Tone; text: string }[]>([]);
  const show = useCallback<Show>((tone, text) => {
    const id = performance.now();
    setList((l) => [...l.slice(-3), { id, tone, text }]);
    setTimeout(
      () => {
        setList((l) => l.filter((t) => t.id !== id));
      },
      tone === 'error' ? 12_000 : 5_000,
    );
  }, []);
  const shown = useMemo(() => list, [list]);
  return (
    <Context value={show}>
      {children}
      <div className="toasts" aria-live="polite">
        {shown.map((t) => (
          <Note key={t.id} tone={t.tone}>
            {t.text}
          </Note>
        ))}
      </div>
    </Context>
  );
}
