import type { Command } from "commander";
import { KDF_LIMITS } from "@cev/crypt";
import type { KdfLimits } from "@cev/crypt";
import { UsageError } from "../usage-error.ts";
import { parseBytes, parseWhole } from "./parse.ts";

/** Options that say how much work a header may ask for. */
export interface KdfOptions {
  readonly kdfMemoryMax?: string;
  readonly kdfWorkMax?: string;
  readonly kdfIterationsMax?: string;
}

/** Adds them to a command that derives keys. */
export function withKdfLimits(command: Command): Command {
  return command
    .option("--kdf-memory-max <size>", "memory that deriving a key may take (default 1G)")
    .option("--kdf-work-max <size>", "memory that it may go through in all passes (default 64G)")
    .option("--kdf-iterations-max <count>", "iterations that it may take (default 100000000)");
}

/** Those that were given. Throws a `UsageError`. */
export function givenKdfLimits(options: KdfOptions): Partial<KdfLimits> {
  const memoryMax = atLeastOne(parseBytes(options.kdfMemoryMax, "--kdf-memory-max"), "--kdf-memory-max");
  const workMax = atLeastOne(parseBytes(options.kdfWorkMax, "--kdf-work-max"), "--kdf-work-max");
  const iterationsMax = parseWhole(options.kdfIterationsMax, "--kdf-iterations-max", {
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  return {
    ...(memoryMax === undefined ? {} : { memoryMax }),
    ...(workMax === undefined ? {} : { workMax }),
    ...(iterationsMax === undefined ? {} : { iterationsMax }),
  };
}

/** How much work a header may ask for. */
export const kdfLimitsOf = (options: KdfOptions): KdfLimits => ({
  ...KDF_LIMITS,
  ...givenKdfLimits(options),
});

function atLeastOne(value: number | undefined, option: string): number | undefined {
  if (value === 0) throw new UsageError(`${option} 0 would let nothing through`);
  return value;
}
