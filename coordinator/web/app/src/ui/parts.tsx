import { parts, roleName } from '../lib/roles';
import { percent } from '../lib/format';
import { Amount } from './basic';

/** Whom a sum went to, with a bar for each share. */
export function Parts({ paid }: { paid: { role: string; amount: string }[] }) {
  return (
    <ul className="plain parts">
      {parts(paid).map((p) => (
        <li key={p.role}>
          <div className="row spread small">
            <span>{roleName(p.role)}</span>
            <span>
              <Amount wei={p.amount} digits={6} /> <span className="dim">{percent(p.share)}</span>
            </span>
          </div>
          <div className="meter" aria-hidden="true">
            <span style={{ width: `${p.share * 100}%` }} />
          </div>
        </li>
      ))}
    </ul>
  );
}
