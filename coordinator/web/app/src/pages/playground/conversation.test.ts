import { expect, test } from 'vitest';
import { defaults, requestOf } from './conversation';

test('the datanets that the reader chose are asked to be read, and none else', () => {
  const said = [{ role: 'user' as const, content: 'Who is king?' }];
  expect(requestOf(said, { ...defaults, model: 'm', datanets: [3, 1] }).retrieval).toEqual([{ datanet: 3 }, { datanet: 1 }]);
  expect(requestOf(said, { ...defaults, model: 'm' })).not.toHaveProperty('retrieval');
});
