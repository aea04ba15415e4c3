import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ErrorNote, Loading, PageHead } from './basic';

/**
 * What a query gave: placeholder, error with a way to try again, or its data. `page` is the
 * title of a page that has none of its own before the data is there.
 */
export function Fetched<T>({ query, what, page, children }: { query: UseQueryResult<T>; what: string; page?: string; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
        {children(query.data)}
      </>
    );
  }
  return (
    <>
      {page !== undefined && <PageHead title={page} />}
      {query.isError ? <ErrorNote error={query.error} retry={() => void query.refetch()} /> : <Loading what={what} />}
    </>
  );
}
