/** The number of 64 bits at `at`; beyond 2^53 not exact, but large. */
export function wideAt(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

/** Writes a whole number of up to 2^53 in 64 bits, at `at`. */
export function encodeWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}
