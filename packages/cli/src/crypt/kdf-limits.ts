import { KDF_LIMITS } from "@cev/crypt";
import type { KdfLimits } from "@cev/crypt";
import type { KeyOptions } from "./crypt-options.ts";
import { parseBytes, parseWhole } from "./parse.ts";

/** How much work a header may ask for. */
export function kdfLimitsOf(options: KeyOptions): KdfLimits {
  return {
    memoryMax: parseBytes(options.kdfMemoryMax, "--kdf-memory-max") ?? KDF_LIMITS.memoryMax,
    workMax: parseBytes(options.kdfWorkMax, "--kdf-work-max") ?? KDF_LIMITS.workMax,
    iterationsMax: parseWhole(options.kdfIterationsMax, "--kdf-iterations-max") ?? KDF_LIMITS.iterationsMax,
  };
}
