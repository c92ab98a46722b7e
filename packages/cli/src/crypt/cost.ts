import { availableParallelism, totalmem } from "node:os";
import type { CostTarget, KeyCost } from "@cev/crypt";
import { UsageError } from "../usage-error.ts";
import type { CostOptions } from "./crypt-options.ts";
import { parseWhole } from "./parse.ts";

const MEMORY_KIBIBYTES_MIN = 32;
const MEMORY_KIBIBYTES_MAX = 4 << 20;
const MEMORY_KIBIBYTES_DEFAULT = 1 << 20;
const LANES_MAX = 4;
const PASSES_MIN = 4;
const ITERATIONS_MIN = 1000;
const COUNT_MAX = 2 ** 32 - 1;

/** What `--pbkdf` and the options beside it ask for. Undefined: the defaults of the version. */
export function costOf(options: CostOptions, version: 1 | 2 | null): KeyCost | CostTarget | undefined {
  const { hash, pbkdf } = options;
  const type = (pbkdf ?? (version === 1 ? "pbkdf2" : undefined)) as KeyCost["type"] | undefined;
  if (version === 1 && type !== "pbkdf2")
    throw new UsageError(`a luks1 header knows only --pbkdf pbkdf2, not ${String(type)}`);
  const timeMs = parseWhole(options.iterTime, "--iter-time", { min: 1, max: COUNT_MAX });
  const memoryKibibytes = parseWhole(options.pbkdfMemory, "--pbkdf-memory", {
    min: MEMORY_KIBIBYTES_MIN,
    max: MEMORY_KIBIBYTES_MAX,
  });
  const lanes = parseWhole(options.pbkdfParallel, "--pbkdf-parallel", { min: 1, max: LANES_MAX });
  const forced = options.pbkdfForceIterations;
  if (forced !== undefined && timeMs !== undefined)
    throw new UsageError("--pbkdf-force-iterations measures nothing: leave --iter-time out");
  if (type === "pbkdf2" && (memoryKibibytes ?? lanes) !== undefined)
    throw new UsageError("--pbkdf-memory and --pbkdf-parallel are for argon2, not for pbkdf2");
  if (forced !== undefined && type === "pbkdf2")
    return {
      type,
      hash: hash ?? "sha256",
      iterations: parseWhole(forced, "--pbkdf-force-iterations", { min: ITERATIONS_MIN, max: COUNT_MAX })!,
    };
  if (forced !== undefined)
    return {
      type: type === "argon2i" ? "argon2i" : "argon2id",
      passes: parseWhole(forced, "--pbkdf-force-iterations", { min: PASSES_MIN, max: COUNT_MAX })!,
      memoryKibibytes: memoryKibibytes ?? Math.min(MEMORY_KIBIBYTES_DEFAULT, Math.floor(totalmem() / 2048)),
      lanes: lanes ?? Math.min(LANES_MAX, availableParallelism()),
    };
  const isDefault = [type, hash, timeMs, memoryKibibytes, lanes].every((one) => one === undefined);
  if (isDefault) return undefined;
  return {
    ...(type === undefined ? {} : { type }),
    ...(hash === undefined ? {} : { hash }),
    ...(timeMs === undefined ? {} : { timeMs }),
    ...(memoryKibibytes === undefined ? {} : { memoryKibibytesMax: memoryKibibytes }),
    ...(lanes === undefined ? {} : { lanesMax: lanes }),
  };
}
