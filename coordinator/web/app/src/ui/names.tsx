// Names of what has a page, as links to it.
import { Link } from '@tanstack/react-router';
import { recordCid } from '../lib/cid';
import { Id } from './basic';

/** An account, with the way to what it earned. */
export function AccountId({ value }: { value: string }) {
  return (
    <Id
      value={value}
      label="account"
      link={(text) => (
        <Link to="/rewards" search={{ account: value }}>
          {text}
        </Link>
      )}
    />
  );
}

/** A worker by its owner's account. */
export function WorkerId({ value }: { value: string }) {
  return (
    <Id
      value={value}
      label="account"
      link={(text) => (
        <Link to="/workers/$id" params={{ id: value }}>
          {text}
        </Link>
      )}
    />
  );
}

/** A record of a datanet by its digest, 0x-hex. */
export function RecordId({ datanet, value }: { datanet: number; value: string }) {
  return (
    <Id
      value={value}
      label="record"
      link={(text) => (
        <Link to="/datanets/$id/records/$cid" params={{ id: String(datanet), cid: recordCid(value) }}>
          {text}
        </Link>
      )}
    />
  );
}

/** The way to a record, where its title stands already. */
export function RecordLink({ datanet, record }: { datanet: number; record: string }) {
  return (
    <Link to="/datanets/$id/records/$cid" params={{ id: String(datanet), cid: recordCid(record) }}>
      whole record
    </Link>
  );
}

/** A datanet by its number; 0 is none. */
export function DatanetLink({ id }: { id: number }) {
  if (id === 0) return 'none';
  return (
    <Link to="/datanets/$id" params={{ id: String(id) }}>
      number {id}
    </Link>
  );
}
