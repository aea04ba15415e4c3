// One parameter of a proposal: what it is, what it is now, and the values that it should have.
import type { UseQueryResult } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { bounds, parse, shown, suffix, written, wrong } from '../../lib/settings';
import { Button, Card, ErrorNote, message, Note } from '../../ui/basic';
import { SelectField, TextField } from '../../ui/form';

type Setting = Schemas['GovernedSetting'];

/** What is in the fields of one parameter. */
export interface Change {
  key: number;
  name: string;
  texts: string[];
}

let last = 0;

/** A parameter's fields as they are now; no parameter is chosen where there is none of the name. */
export function changeTo(settings: Setting[], name: string): Change {
  const s = settings.find((s) => s.name === name);
  return { key: ++last, name: s?.name ?? '', texts: s?.fields.map((f) => written(f.unit, BigInt(f.value))) ?? [] };
}

export interface Assessed {
  setting: Setting | undefined;
  /** What is wrong with each field. */
  wrong: (string | undefined)[];
  changed: boolean;
  /** What to propose: undefined while a field is wrong or nothing is changed. */
  values: bigint[] | undefined;
}

/** Reads the fields and holds them against the contract's bounds. */
export function assess(settings: Setting[], change: Change): Assessed {
  const setting = settings.find((s) => s.name === change.name);
  if (setting === undefined) return { setting, wrong: [], changed: false, values: undefined };
  const values: bigint[] = [];
  const found = setting.fields.map((f, i) => {
    try {
      const v = parse(f.unit, change.texts[i] ?? '');
      values.push(v);
      return wrong(f, v);
    } catch (error) {
      return message(error);
    }
  });
  const fine = found.every((w) => w === undefined);
  const changed = values.length < setting.fields.length || setting.fields.some((f, i) => values[i] !== BigInt(f.value));
  return { setting, wrong: found, changed, values: fine && changed ? values : undefined };
}

const groups: Record<string, string> = {
  fees: 'Fees',
  staking: 'Workers',
  escrow: 'Escrow',
  settlement: 'Payments',
  epochs: 'Epochs of payments',
  agents: 'Agents',
  contributors: 'Contributors',
  governance: 'Governance itself',
  validators: 'Validators',
  disputes: 'Disputes',
  models: 'Adapters',
};

interface Props {
  settings: Setting[];
  change: Change;
  assessed: Assessed | undefined;
  call: UseQueryResult<Schemas['SettingCall']> | undefined;
  tried: boolean;
  onChange: (to: Change) => void;
  onRemove: (() => void) | undefined;
}

/** The fields of one parameter. */
export function ChangeOf({ settings, change, assessed, call, tried, onChange, onRemove }: Props) {
  const order = Object.keys(groups);
  const kinds = [...new Set(settings.map((s) => s.name.split('.')[0] ?? ''))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const setting = assessed?.setting;
  return (
    <Card
      title="What changes"
      aside={
        onRemove !== undefined && (
          <Button small onClick={onRemove}>
            Leave it out
          </Button>
        )
      }
    >
      <SelectField
        label="Parameter"
        value={change.name}
        wrong={tried && setting === undefined ? 'Choose what should change.' : undefined}
        onChange={(e) => { onChange({ ...changeTo(settings, e.target.value), key: change.key }); }}
      >
        <option value="">choose one</option>
        {kinds.map((kind) => (
          <optgroup key={kind} label={groups[kind] ?? kind}>
            {settings
              .filter((s) => s.name.split('.')[0] === kind)
              .map((s) => (
                <option key={s.name}>{s.name}</option>
              ))}
          </optgroup>
        ))}
      </SelectField>
      {setting !== undefined && (
        <>
          <p>{setting.about}</p>
          {setting.fields.map((f, i) => {
            const range = bounds(f);
            return (
              <TextField
                key={f.name}
                label={`${named(f.name)}${suffix[f.unit] === '' ? '' : `, ${suffix[f.unit]}`}`}
                hint={`${f.about}; now ${shown(f.unit, BigInt(f.value))}${range === undefined ? '' : `; ${range}`}`}
                value={change.texts[i] ?? ''}
                wrong={assessed?.wrong[i]}
                onChange={(e) => { onChange({ ...change, texts: change.texts.map((t, k) => (k === i ? e.target.value : t)) }); }}
              />
            );
          })}
          {setting.together !== undefined && <p className="small dim">Together: {setting.together}.</p>}
          {tried && assessed?.changed === false && <Note tone="warn">Nothing is changed yet: write another value.</Note>}
          {assessed?.values !== undefined && call?.isError === true && <ErrorNote error={call.error} />}
          {assessed?.values !== undefined && call?.data?.refused !== undefined && (
            <Note tone="warn">
              <span>If this were done now, the contract would refuse it: {call.data.refused}.</span>
            </Note>
          )}
        </>
      )}
    </Card>
  );
}

/** A field's name as a label. */
function named(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
