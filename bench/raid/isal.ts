import { NativePeer } from "../native-peer.ts";

/** What is measured: XOR, both parities, two lost sources from both parities and the others. */
export type ParityOperation = "p" | "pq" | "recover";

/** One measurement: the fastest of so many slices of so many calls each. */
export interface Slices {
  readonly operation: ParityOperation;
  /** What is read: data, or for `recover` the data that is left and both parities. */
  readonly sourceCount: number;
  /** Bytes of each source. */
  readonly length: number;
  readonly sliceCount: number;
  readonly callCount: number;
}

/** Starts ISA-L in a process of its own, or says why that cannot be. */
export function startIsal(): NativePeer | string {
  return NativePeer.start(new URL("isal.c", import.meta.url), "isal");
}

/** Nanoseconds of one call. */
export function measureIsal(
  peer: NativePeer,
  { operation, sourceCount, length, sliceCount, callCount }: Slices,
): Promise<number> {
  return peer.ask(operation, sourceCount, length, sliceCount, callCount);
}
