// Content identifiers of single blocks: CIDv1, raw, SHA2-256, in base32
// (https://github.com/multiformats/cid).

const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** The SHA2-256 digest that a CID names, as 0x-hex; null for another kind of CID. */
export function digestOf(cid: string): string | null {
  if (!cid.startsWith('b')) return null;
  const bytes: number[] = [];
  let buffer = 0;
  let bits = 0;
  for (const c of cid.slice(1)) {
    const v = letters.indexOf(c);
    if (v < 0) return null;
    buffer = ((buffer << 5) | v) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((buffer >> bits) & 0xff);
    }
  }
  const [version, , hash, length] = bytes;
  if (bytes.length !== 36 || version !== 1 || hash !== 0x12 || length !== 32) return null;
  return `0x${bytes.slice(4).map((b) => b.toString(16).padStart(2, '0')).join('')}`;
}

/** The CID of a record's canonical bytes, whose SHA2-256 digest is 0x-hex. */
export function recordCid(digest: string): string {
  const bytes = [1, 0x55, 0x12, 32, ...(digest.slice(2).match(/../g) ?? []).map((b) => parseInt(b, 16))];
  let out = '';
  let buffer = 0;
  let bits = 0;
  for (const b of bytes) {
    buffer = ((buffer << 8) | b) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += letters[(buffer >> bits) & 31] ?? '';
    }
  }
  return `b${out}${letters[(buffer << (5 - bits)) & 31] ?? ''}`;
}
