import { useState } from 'react';
import type { Draft } from '../../chain/keys';
import { draftOf, type KeyForm, keyScopes, newKey, type Wrong } from '../../lib/keys';
import { Button } from '../../ui/basic';
import { SelectField, TextField } from '../../ui/form';

const lives = [
  [1, 'a day'],
  [30, '30 days'],
  [90, '90 days'],
  [365, 'a year'],
  [0, 'until it is ended'],
] as const;

/** What a new key is for and may do. Nothing is asked for here: the text to be signed comes next. */
export function NewKey({ onDraft }: { onDraft: (d: Draft) => void }) {
  const [form, setForm] = useState<KeyForm>(newKey);
  const [wrong, setWrong] = useState<Wrong>({});
  const set = (part: Partial<KeyForm>) => { setForm({ ...form, ...part }); };
  const next = () => {
    const got = draftOf(form, Date.now());
    if ('draft' in got) onDraft(got.draft);
    else setWrong(got.wrong);
  };
  return (
    <form
      className="stack"
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        next();
      }}
    >
      <TextField label="Name of the key" placeholder="laptop" value={form.label} wrong={wrong.label} onChange={(e) => { set({ label: e.target.value }); }} hint="For you, to know it again." />
      <fieldset>
        <legend>What it may be used for</legend>
        {keyScopes.map(({ scope, means }) => (
          <label key={scope} className="row">
            <input
              type="checkbox"
              checked={form.scopes.includes(scope)}
              onChange={(e) => { set({ scopes: keyScopes.map((s) => s.scope).filter((s) => (s === scope ? e.target.checked : form.scopes.includes(s))) }); }}
            />
            <span>
              {scope} <span className="dim small">{means}</span>
            </span>
          </label>
        ))}
        {wrong.scopes !== undefined && (
          <div className="field">
            <span className="wrong" role="alert">
              {wrong.scopes}
            </span>
          </div>
        )}
      </fieldset>
      <div className="grid">
        <SelectField label="Good for" value={form.days} onChange={(e) => { set({ days: Number(e.target.value) }); }}>
          {lives.map(([days, label]) => (
            <option key={days} value={days}>
              {label}
            </option>
          ))}
        </SelectField>
        <TextField label="Budget in all, OPEN" inputMode="decimal" value={form.budget} wrong={wrong.budget} onChange={(e) => { set({ budget: e.target.value }); }} hint="Empty: all that is put aside." />
        <TextField label="Budget a day, OPEN" inputMode="decimal" value={form.perDay} wrong={wrong.perDay} onChange={(e) => { set({ perDay: e.target.value }); }} hint="Empty: no limit." />
        <TextField label="Requests a minute" inputMode="numeric" value={form.requests} wrong={wrong.requests} onChange={(e) => { set({ requests: e.target.value }); }} hint="Empty: no limit." />
        <TextField label="Tokens a minute" inputMode="numeric" value={form.tokens} wrong={wrong.tokens} onChange={(e) => { set({ tokens: e.target.value }); }} hint="Of prompts and answers." />
        <TextField label="Models" value={form.models} wrong={wrong.models} onChange={(e) => { set({ models: e.target.value }); }} hint="Names with commas between them; empty: all." />
      </div>
      <div>
        <Button type="submit" kind="primary">
          Next: what you sign
        </Button>
      </div>
    </form>
  );
}
