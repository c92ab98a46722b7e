import type { Clock } from "@cev/core";
import { cachedCalls } from "./cached-calls.ts";
import type { CachedReader } from "./cached-reader.ts";
import { systemCalls } from "./file-calls.ts";
import type { FileCalls } from "./file-calls.ts";
import type { FileFacts } from "./file-facts.ts";
import { memoryCalls } from "./memory-calls.ts";
import { promptCalls } from "./prompt-calls.ts";

/** How a file may be used, and what there is for it. */
export interface PlatformWays {
  readonly clock: Clock;
  /** Null: there is no way to read page cache at once. */
  readonly cached: CachedReader | null;
  /** Short writes may hold up the program. */
  readonly writeAtOnce?: boolean;
}

/** The system calls that suit a file best. */
export function platformCalls(
  facts: FileFacts,
  { clock, cached, writeAtOnce = false }: PlatformWays,
): FileCalls {
  if (facts.isInMemory) return memoryCalls;
  const calls = writeAtOnce ? promptCalls(systemCalls, clock) : systemCalls;
  return cached === null ? calls : cachedCalls(cached, calls);
}
