import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** A link to a batch's page. */
export function BatchLink({ worker, nonce, children }: { worker: string; nonce: number; children?: ReactNode }) {
  return (
    <Link to="/batches/$worker/$nonce" params={{ worker, nonce: String(nonce) }}>
      {children ?? `batch ${nonce}`}
    </Link>
  );
}

/** A name and its value in a list of facts. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
