import { createRootRoute, createRoute, createRouter, Link, lazyRouteComponent } from '@tanstack/react-router';
import { Shell } from './layout/shell';
import { Empty, ErrorNote, Loading } from './ui/basic';
import Home from './pages/home/home';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Empty title="There is no such page">
      <Link to="/">Go home</Link>
    </Empty>
  ),
});
const getParentRoute = () => root;

// Every page but the first is a chunk of its own.
const home = createRoute({ getParentRoute, path: '/', component: Home });
const workers = createRoute({ getParentRoute, path: '/workers', component: lazyRouteComponent(() => import('./pages/workers/workers')) });
const worker = createRoute({ getParentRoute, path: '/workers/$id', component: lazyRouteComponent(() => import('./pages/workers/worker')) });
const receipts = createRoute({ getParentRoute, path: '/receipts', component: lazyRouteComponent(() => import('./pages/receipts/receipts')) });
const receipt = createRoute({ getParentRoute, path: '/receipts/$id', component: lazyRouteComponent(() => import('./pages/receipts/receipt')) });

const playground = createRoute({
  getParentRoute,
  path: '/playground',
  validateSearch: (s: Record<string, unknown>): { model?: string } => (typeof s.model === 'string' ? { model: s.model } : {}),
  component: lazyRouteComponent(() => import('./pages/playground/playground')),
});

const routes = root.addChildren([home, workers, worker, receipts, receipt, playground]);

export const router = createRouter({
  routeTree: routes,
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultPendingComponent: () => <Loading what="the page" lines={5} />,
  defaultErrorComponent: ({ error, reset }) => <ErrorNote error={error} retry={reset} />,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
