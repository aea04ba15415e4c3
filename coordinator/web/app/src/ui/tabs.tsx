import { type KeyboardEvent, type ReactNode, useId, useRef } from 'react';

interface Tab<K extends string> {
  key: K;
  label: ReactNode;
  panel: () => ReactNode;
}

/** Tabs after the WAI-ARIA pattern: arrow keys move, only the chosen panel is there. */
export function Tabs<K extends string>({ label, tabs, value, onChange }: { label: string; tabs: Tab<K>[]; value: K; onChange: (key: K) => void }) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const index = Math.max(
    tabs.findIndex((t) => t.key === value),
    0,
  );
  const move = (e: KeyboardEvent) => {
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (next === undefined) return;
    onChange(next.key);
    list.current?.querySelector<HTMLElement>(`[data-key="${next.key}"]`)?.focus();
  };
  const current = tabs[index];
  return (
    <div className="stack">
      <div className="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map((t, i) => (
          <button
            key={t.key}
            type="button"
            role="tab"
            data-key={t.key}
            id={`${id}-${t.key}`}
            aria-selected={i === index}
            aria-controls={`${id}-panel`}
            tabIndex={i === index ? 0 : -1}
            onClick={() => {
              onChange(t.key);
            }}
          >
            {t.label}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} className="stack">
        {current?.panel()}
      </div>
    </div>
  );
}
