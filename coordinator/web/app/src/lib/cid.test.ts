import { expect, it } from 'vitest';
import { digestOf, recordCid } from './cid';

it('gives the digest of a raw block', () => {
  // of the eleven bytes "hello world"
  expect(digestOf('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')).toBe('0xb94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9');
  expect(recordCid('0xb94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9')).toBe('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e');
  for (const bad of ['', 'b', 'bafk', 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG', 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5!']) {
    expect(digestOf(bad)).toBeNull();
  }
});
