/**
 * Collects keys, and passes them on together: at once after a while of quiet, else at
 * most every `every` milliseconds. `later` is setTimeout, or a test's.
 */
export function collector(every: number, pass: (keys: string[]) => void, later: (f: () => void, ms: number) => void): (key: string) => void {
  const waiting = new Set<string>();
  let resting = false;
  const flush = () => {
    if (waiting.size === 0) {
      resting = false;
      return;
    }
    const keys = [...waiting];
    waiting.clear();
    resting = true;
    pass(keys);
    later(flush, every);
  };
  return (key) => {
    waiting.add(key);
    if (!resting) flush();
  };
}
