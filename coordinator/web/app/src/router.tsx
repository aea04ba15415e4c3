import { createRootRoute, createRoute, createRouter, Link, lazyRouteComponent } from '@tanstack/react-router';
import { Shell } from './layout/shell';
import { ErrorNote, Loading, PageHead } from './ui/basic';
import { datanetTabs, type DatanetTab } from './pages/datanets/tabs';
import { explorerTabs, type ExplorerTab } from './pages/receipts/tabs';
import Home from './pages/home/home';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <>
      <PageHead title="There is no such page" sub="Its address may be wrong, or from another version." />
      <div>
        <Link to="/" className="button primary">
          Go home
        </Link>
      </div>
    </>
  ),
});
const getParentRoute = () => root;

// Every page but the first is a chunk of its own.
const home = createRoute({ getParentRoute, path: '/', component: Home });
const workers = createRoute({ getParentRoute, path: '/workers', component: lazyRouteComponent(() => import('./pages/workers/workers')) });
const worker = createRoute({ getParentRoute, path: '/workers/$id', component: lazyRouteComponent(() => import('./pages/workers/worker')) });
const receipts = createRoute({
  getParentRoute,
  path: '/receipts',
  validateSearch: (s: Record<string, unknown>): { tab?: ExplorerTab; worker?: string } => {
    const tab = explorerTabs.find((t) => t === s.tab);
    return { ...(tab === undefined ? {} : { tab }), ...(typeof s.worker === 'string' ? { worker: s.worker } : {}) };
  },
  component: lazyRouteComponent(() => import('./pages/receipts/receipts')),
});
const batch = createRoute({ getParentRoute, path: '/batches/$worker/$nonce', component: lazyRouteComponent(() => import('./pages/receipts/batch')) });
const dispute = createRoute({ getParentRoute, path: '/disputes/$id', component: lazyRouteComponent(() => import('./pages/receipts/dispute')) });
const receipt = createRoute({ getParentRoute, path: '/receipts/$id', component: lazyRouteComponent(() => import('./pages/receipts/receipt')) });
const rewards = createRoute({
  getParentRoute,
  path: '/rewards',
  validateSearch: (s: Record<string, unknown>): { account?: string } => (typeof s.account === 'string' ? { account: s.account } : {}),
  component: lazyRouteComponent(() => import('./pages/rewards/rewards')),
});
const account = createRoute({ getParentRoute, path: '/account', component: lazyRouteComponent(() => import('./pages/account/account')) });
const governance = createRoute({ getParentRoute, path: '/governance', component: lazyRouteComponent(() => import('./pages/governance/governance')) });
const propose = createRoute({
  getParentRoute,
  path: '/governance/new',
  validateSearch: (s: Record<string, unknown>): { setting?: string } => (typeof s.setting === 'string' ? { setting: s.setting } : {}),
  component: lazyRouteComponent(() => import('./pages/governance/propose')),
});
const proposal = createRoute({ getParentRoute, path: '/governance/$id', component: lazyRouteComponent(() => import('./pages/governance/proposal')) });

const agents = createRoute({ getParentRoute, path: '/agents', component: lazyRouteComponent(() => import('./pages/agents/agents')) });
const newAgent = createRoute({
  getParentRoute,
  path: '/agents/new',
  validateSearch: (s: Record<string, unknown>): { agent?: number } => (typeof s.agent === 'number' && Number.isSafeInteger(s.agent) && s.agent > 0 ? { agent: s.agent } : {}),
  component: lazyRouteComponent(() => import('./pages/agents/new')),
});
const agent = createRoute({ getParentRoute, path: '/agents/$id', component: lazyRouteComponent(() => import('./pages/agents/agent')) });

const playground = createRoute({
  getParentRoute,
  path: '/playground',
  validateSearch: (s: Record<string, unknown>): { model?: string; compare?: boolean } => ({
    ...(typeof s.model === 'string' ? { model: s.model } : {}),
    ...(s.compare === true ? { compare: true } : {}),
  }),
  component: lazyRouteComponent(() => import('./pages/playground/playground')),
});

const datanets = createRoute({ getParentRoute, path: '/datanets', component: lazyRouteComponent(() => import('./pages/datanets/datanets')) });
const newDatanet = createRoute({
  getParentRoute,
  path: '/datanets/new',
  validateSearch: (s: Record<string, unknown>): { sample?: boolean } => (s.sample === true ? { sample: true } : {}),
  component: lazyRouteComponent(() => import('./pages/datanets/new')),
});
const datanet = createRoute({
  getParentRoute,
  path: '/datanets/$id',
  validateSearch: (s: Record<string, unknown>): { tab?: DatanetTab } => {
    const tab = datanetTabs.find((t) => t === s.tab);
    return tab === undefined ? {} : { tab };
  },
  component: lazyRouteComponent(() => import('./pages/datanets/datanet')),
});
const record = createRoute({ getParentRoute, path: '/datanets/$id/records/$cid', component: lazyRouteComponent(() => import('./pages/datanets/record')) });
const factory = createRoute({ getParentRoute, path: '/factory', component: lazyRouteComponent(() => import('./pages/factory/factory')) });
const newTraining = createRoute({
  getParentRoute,
  path: '/factory/new',
  validateSearch: (s: Record<string, unknown>): { datanet?: number; sample?: string } => ({
    ...(typeof s.datanet === 'number' && Number.isSafeInteger(s.datanet) && s.datanet > 0 ? { datanet: s.datanet } : {}),
    ...(typeof s.sample === 'string' ? { sample: s.sample } : {}),
  }),
  component: lazyRouteComponent(() => import('./pages/factory/new')),
});
const training = createRoute({ getParentRoute, path: '/factory/$id', component: lazyRouteComponent(() => import('./pages/factory/job')) });
const models = createRoute({ getParentRoute, path: '/models', component: lazyRouteComponent(() => import('./pages/models/models')) });

const routes = root.addChildren([datanets, newDatanet, datanet, record, factory, newTraining, training, models, agents, newAgent, agent, home, workers, worker, receipts, receipt, batch, dispute, rewards, account, governance, propose, proposal, playground]);

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
