import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/client';
import { router } from './router';
import './styles.css';
import { Toasts } from './ui/toast';
import { WalletProvider } from './wallet/context';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      // What the coordinator refuses, it refuses again; what it could not answer is tried again.
      retry: (failures, error) => failures < 3 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
    },
  },
});

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <WalletProvider>
        <Toasts>
          <RouterProvider router={router} />
        </Toasts>
      </WalletProvider>
    </QueryClientProvider>
  </StrictMode>,
);
