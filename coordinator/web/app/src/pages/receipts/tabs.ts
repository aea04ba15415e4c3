export const explorerTabs = ['receipts', 'batches', 'disputes'] as const;
export type ExplorerTab = (typeof explorerTabs)[number];
