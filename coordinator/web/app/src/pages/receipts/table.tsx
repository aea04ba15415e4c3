import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { count } from '../../lib/format';
import { feeOf } from '../../lib/roles';
import { Amount, Badge, When } from '../../ui/basic';
import { AccountId, WorkerId } from '../../ui/names';

/** Receipts as a table; a short one leaves out who asked and how many records were behind the answer. */
export function ReceiptTable({ receipts, now, short = false }: { receipts: Schemas['ReceiptView'][]; now: number; short?: boolean }) {
  return (
    <div className="table">
      <table>
        <thead>
          <tr>
            <th>Receipt</th>
            {!short && <th>Asked by</th>}
            <th>Worker</th>
            <th className="num">Tokens in / out</th>
            <th className="num">Fee</th>
            {!short && <th className="num">Records</th>}
            <th>When</th>
            <th>Settled</th>
          </tr>
        </thead>
        <tbody>
          {receipts.map((r) => (
            <tr key={r.receipt.id}>
              <td className="nowrap">
                <Link to="/receipts/$id" params={{ id: r.receipt.id }}>
                  <code>{r.receipt.id.slice(0, 12)}</code>
                </Link>
              </td>
              {!short && (
                <td>
                  <AccountId value={r.receipt.requester} />
                </td>
              )}
              <td>
                <WorkerId value={r.receipt.worker} />
              </td>
              <td className="num nowrap">
                {count(r.receipt.prompt_tokens)} / {count(r.receipt.output_tokens)}
              </td>
              <td className="num">
                <Amount wei={feeOf(r.receipt)} />
              </td>
              {!short && <td className="num">{count(r.evidence.attribution.shares?.length ?? 0)}</td>}
              <td className="nowrap"><When at={r.receipt.finished_at} now={now} /></td>
              <td>{r.settled ? <Badge tone="good">on chain</Badge> : <Badge>not yet</Badge>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
