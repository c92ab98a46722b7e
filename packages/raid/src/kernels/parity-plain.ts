/** The same as `ParityKernel` in plain TypeScript: what the kernel is held equal to. Lengths in bytes, all the same. */
export function xorPlain(target: Uint8Array, sources: readonly Uint8Array[]): void {
  for (let at = 0; at < target.length; at++) {
    let value = 0;
    for (const source of sources) value ^= source[at]!;
    target[at] = value;
  }
}
