import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from 'react';

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  /** What is wrong with the value, and what to do. */
  wrong?: string | undefined;
}

function described(id: string, p: FieldProps) {
  const ids = [p.hint === undefined ? '' : `${id}-hint`, p.wrong === undefined ? '' : `${id}-wrong`].filter(Boolean).join(' ');
  return { id, 'aria-describedby': ids === '' ? undefined : ids, 'aria-invalid': p.wrong !== undefined };
}

function Frame({ id, label, hint, wrong, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <span className="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {wrong !== undefined && (
        <span className="wrong" id={`${id}-wrong`} role="alert">
          {wrong}
        </span>
      )}
    </div>
  );
}

/** A labelled line of text, with a hint and what is wrong with it. */
export function TextField({ label, hint, wrong, ...input }: FieldProps & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} wrong={wrong}>
      <input {...input} {...described(id, { label, hint, wrong })} />
    </Frame>
  );
}

/** Labelled lines of text. */
export function TextArea({ label, hint, wrong, ...input }: FieldProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} wrong={wrong}>
      <textarea {...input} {...described(id, { label, hint, wrong })} />
    </Frame>
  );
}

/** A labelled choice of one of several. */
export function SelectField({ label, hint, wrong, children, ...input }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} wrong={wrong}>
      <select {...input} {...described(id, { label, hint, wrong })}>
        {children}
      </select>
    </Frame>
  );
}
