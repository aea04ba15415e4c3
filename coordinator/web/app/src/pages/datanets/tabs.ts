/** The parts of a datanet's page, as its address names them. */
export const datanetTabs = ['records', 'contribute', 'review', 'versions', 'contributors'] as const;
export type DatanetTab = (typeof datanetTabs)[number];
