import { type ButtonHTMLAttributes, type ReactNode, useEffect, useId, useState } from 'react';
import { AlertTriangle, CheckCircle2, Copy, Info, OctagonAlert } from 'lucide-react';
import { ago, open, short } from '../lib/format';

type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'plain';

/** A short word about the state of something. */
export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`badge ${tone === 'plain' ? '' : tone}`}>{children}</span>;
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'primary' | 'danger' | 'plain';
  small?: boolean;
  busy?: boolean;
}

/** A button that says so while its work is under way, and cannot be pressed twice. */
export function Button({ kind = 'plain', small = false, busy = false, disabled, children, className = '', ...rest }: ButtonProps) {
  const classes = ['button', kind === 'plain' ? '' : kind, small ? 'small' : '', className].filter(Boolean).join(' ');
  return (
    <button type="button" className={classes} disabled={busy || disabled === true} aria-busy={busy} {...rest}>
      {busy ? 'Working…' : children}
    </button>
  );
}

const icons = { error: OctagonAlert, warn: AlertTriangle, good: CheckCircle2, info: Info };

/** A message that stays where it belongs. */
export function Note({ tone = 'info', children }: { tone?: 'error' | 'warn' | 'good' | 'info'; children: ReactNode }) {
  const Icon = icons[tone];
  return (
    <div className={`note ${tone}`} role={tone === 'error' ? 'alert' : 'status'}>
      <Icon size={20} aria-hidden="true" />
      <div className="stack tight">{children}</div>
    </div>
  );
}

/** What went wrong, in the words of whoever refused it. */
export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Note tone="error">
      <span>{message(error)}</span>
      {retry !== undefined && (
        <span>
          <Button small onClick={retry}>
            Try again
          </Button>
        </span>
      )}
    </Note>
  );
}

/** The text of anything that was thrown. */
export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a list shows before it has something. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** A titled region of a page. */
export function Card({ title, aside, children }: { title?: ReactNode; aside?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <section className="card" aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <header>
          <h2 id={id}>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  );
}

/** The first lines of a page, whose title is the window's too. */
export function PageHead({ title, sub, children }: { title: string; sub?: ReactNode; children?: ReactNode }) {
  useEffect(() => {
    document.title = title === 'OpenLedger' ? title : `${title} · OpenLedger`;
  }, [title]);
  return (
    <div className="head">
      <div>
        <h1>{title}</h1>
        {sub !== undefined && <p className="sub">{sub}</p>}
      </div>
      {children !== undefined && <div className="row">{children}</div>}
    </div>
  );
}

/** A number with what it counts. */
export function Stat({ label, value, hint }: { label: string; value: ReactNode; hint?: ReactNode }) {
  return (
    <div className="card stat">
      <span className="dim small">{label}</span>
      <b>{value}</b>
      {hint !== undefined && <span className="dim small">{hint}</span>}
    </div>
  );
}

/** A hash, account or CID: short to look at, whole to copy; `link` makes the short text a way to its page. */
export function Id({ value, label = 'id', link }: { value: string; label?: string; link?: (text: ReactNode) => ReactNode }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(value).then(() => {
      setCopied(true);
      setTimeout(() => {
        setCopied(false);
      }, 1500);
    });
  };
  const text = <code title={value}>{short(value)}</code>;
  return (
    <span className="row nowrap" style={{ gap: '0.2rem', display: 'inline-flex', flexWrap: 'nowrap' }}>
      {link === undefined ? text : link(text)}
      <button type="button" className="copy" onClick={copy} aria-label={copied ? 'Copied' : `Copy ${label} ${short(value)}`}>
        {copied ? <CheckCircle2 size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />}
      </button>
    </span>
  );
}

/** An amount of OPEN; the exact amount is in its title. */
export function Amount({ wei, digits = 6 }: { wei: bigint | string; digits?: number }) {
  return (
    <span className="nowrap" title={`${open(wei)} OPEN`}>
      {open(wei, digits)} <span className="dim">OPEN</span>
    </span>
  );
}

/** How long ago, or how far ahead, a time is, in Unix milliseconds; when exactly is in its title. */
export function When({ at, now }: { at: number; now: number }) {
  const date = new Date(at);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {ago(at, now)}
    </time>
  );
}

/** Lines that stand for what is being fetched. */
export function Loading({ lines = 3, what }: { lines?: number; what: string }) {
  return (
    <div className="stack tight" role="status" aria-label={`Loading ${what}`}>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="skeleton" />
      ))}
    </div>
  );
}
