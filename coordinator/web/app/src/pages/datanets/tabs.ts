/** The parts of a datanet's page, as its address names them. */
export const datanetTabs = ['records', 'review', 'versions'] as const;
export type DatanetTab = (typeof datanetTabs)[number];
