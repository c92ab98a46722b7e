/** A 32-bit hash of a range of bytes (FNV-1a): to notice a change, not to withstand an attacker. */
export function hashOf(data: Uint8Array, start = 0, length: number = data.length - start): number {
  let hash = 0x811c_9dc5;
  for (let at = start; at < start + length; at++) hash = Math.imul(hash ^ data[at]!, 0x0100_0193);
  return hash >>> 0;
}

/** The index of the first byte in which two arrays differ, or -1. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return index;
  return a.length === b.length ? -1 : length;
}
