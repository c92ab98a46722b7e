const FIRST_MS = 100;
const LAST_MS = 5000;
const SPREAD = 0.2;

/**
 * How long to wait before an attempt to reconnect, the first of which has the index 0 and is made at once. Doubles from 100 ms to
 * 5 s, give or take a fifth, so that many clients of one server do not come back all together. `byte`: a random one.
 */
export function backoffMs(attemptIndex: number, byte: number): number {
  if (attemptIndex === 0) return 0;
  const base = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attemptIndex - 1, 10));
  return base * (1 - SPREAD + (2 * SPREAD * byte) / 255);
}
