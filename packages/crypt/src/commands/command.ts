import type { AbortSignalLike, Environment } from "@cev/core";
import { CevError } from "@cev/core";
import { KDF_LIMITS } from "../key/kdf.ts";
import type { KdfLimits } from "../key/kdf.ts";

/** What an operation is at. */
export interface CryptProgress {
  /** Measuring what a new key may cost, deriving a key, overwriting what was there, or writing. */
  readonly step: "measure" | "derive" | "wipe" | "write";
  /** So many of `total`; a total of 0 is not known. Bytes where something is written, else derivations or measurements. */
  readonly done: number;
  readonly total: number;
}

/** Settings of every operation. */
export interface CommandOptions {
  readonly environment: Environment;
  /** What the user calls the device, for errors. By default the layer's name. */
  readonly name?: string;
  /** Ends the operation with `CEV_CANCELLED`, as long as nothing has been written; afterwards it is brought to its end. */
  readonly signal?: AbortSignalLike;
  /** What the header may ask for when keys are derived. */
  readonly kdfLimits?: KdfLimits;
  readonly onProgress?: (progress: CryptProgress) => void;
}

/** How keys are tried, of the options of an operation. */
export function unlockOptionsOf({ kdfLimits, signal, onProgress }: CommandOptions): {
  readonly limits: KdfLimits;
  readonly signal: AbortSignalLike | undefined;
  readonly onDerived: ((done: number, total: number) => void) | undefined;
} {
  const onDerived =
    onProgress === undefined
      ? undefined
      : (done: number, total: number): void => onProgress({ step: "derive", done, total });
  return { limits: kdfLimits ?? KDF_LIMITS, signal, onDerived };
}

/** Throws `CEV_CANCELLED` when the signal has fired: the last moment before something is written. */
export function throwIfCancelled(signal: AbortSignalLike | undefined): void {
  if (signal?.aborted === true) throw new CevError("CEV_CANCELLED", "cancelled; nothing was written");
}

export function invalid(message: string, hint?: string): CevError {
  return new CevError("CEV_INVALID", message, hint === undefined ? {} : { hint });
}
