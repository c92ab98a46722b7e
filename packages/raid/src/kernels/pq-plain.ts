import { gfDouble, gfMultiply, pairFactors, singleFactor } from "./galois-field.ts";

/** A source of RAID6's two sums: it counts in P as it is, in Q times 2 to its exponent. */
export interface PqSource {
  readonly data: Uint8Array;
  readonly exponent: number;
}

/** The same as `PqKernel.pqTo` in plain TypeScript: what the kernel is held equal to. All of the same length in bytes. */
export function pqPlain(p: Uint8Array, q: Uint8Array, sources: readonly PqSource[]): void {
  const falling = [...sources].sort((a, b) => b.exponent - a.exponent);
  for (let at = 0; at < p.length; at++) {
    let sum = 0;
    let weighted = 0;
    let exponent = falling[0]?.exponent ?? 0;
    for (const source of falling) {
      for (; exponent > source.exponent; exponent--) weighted = gfDouble(weighted);
      sum ^= source.data[at]!;
      weighted ^= source.data[at]!;
    }
    for (; exponent > 0; exponent--) weighted = gfDouble(weighted);
    p[at] = sum;
    q[at] = weighted;
  }
}

/** The same as `PqKernel.recoverOneQ`: the source that is missing, from Q and the others. */
export function recoverOneQPlain(
  target: Uint8Array,
  q: Uint8Array,
  exponentLost: number,
  sources: readonly PqSource[],
): void {
  const sums = sumsOf(sources, target.length);
  const factor = singleFactor(exponentLost);
  for (let at = 0; at < target.length; at++) target[at] = gfMultiply(factor, sums.q[at]! ^ q[at]!);
}

/** The two sources that are missing, and the parities they follow from. */
export interface LostPair {
  readonly p: Uint8Array;
  readonly q: Uint8Array;
  readonly x: Uint8Array;
  readonly exponentX: number;
  readonly y: Uint8Array;
  readonly exponentY: number;
}

/** The same as `PqKernel.recoverTwo`: `x` and `y` are written. */
export function recoverTwoPlain(lost: LostPair, sources: readonly PqSource[]): void {
  const sums = sumsOf(sources, lost.x.length);
  const factors = pairFactors(lost.exponentX, lost.exponentY);
  for (let at = 0; at < lost.x.length; at++) {
    const p = sums.p[at]! ^ lost.p[at]!;
    const q = sums.q[at]! ^ lost.q[at]!;
    const x = gfMultiply(factors.q, q) ^ gfMultiply(factors.p, p);
    lost.x[at] = x;
    lost.y[at] = p ^ x;
  }
}

/** The same as `PqKernel.multiplyInto`: target ^= factor * source. */
export function multiplyIntoPlain(target: Uint8Array, source: Uint8Array, factor: number): void {
  for (let at = 0; at < target.length; at++) target[at]! ^= gfMultiply(factor, source[at]!);
}

function sumsOf(sources: readonly PqSource[], length: number): { p: Uint8Array; q: Uint8Array } {
  const p = new Uint8Array(length);
  const q = new Uint8Array(length);
  pqPlain(p, q, sources);
  return { p, q };
}
