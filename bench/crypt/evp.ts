import { NativePeer } from "../native-peer.ts";

/** One measurement: the fastest of so many slices of so many calls each. */
export interface EvpSlices {
  /** As OpenSSL calls it. */
  readonly cipher: string;
  readonly direction: "encrypt" | "decrypt";
  /** Bytes of one call. */
  readonly length: number;
  readonly sliceCount: number;
  readonly callCount: number;
}

/** Starts the system's OpenSSL in a process of its own, or says why that cannot be. */
export function startEvp(): NativePeer | string {
  return NativePeer.start(new URL("evp.c", import.meta.url), "crypto");
}

/** Nanoseconds of one call. */
export function measureEvp(
  peer: NativePeer,
  { cipher, direction, length, sliceCount, callCount }: EvpSlices,
): Promise<number> {
  return peer.ask(cipher, direction, length, sliceCount, callCount);
}
