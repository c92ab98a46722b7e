import { cachedCalls } from "./cached-calls.ts";
import type { CachedReader } from "./cached-reader.ts";
import { systemCalls } from "./file-calls.ts";
import type { FileCalls } from "./file-calls.ts";
import type { FileFacts } from "./file-facts.ts";
import { memoryCalls } from "./memory-calls.ts";

/** The system calls that suit a file best. `cached` null: there is no way to read page cache at once. */
export function platformCalls(facts: FileFacts, cached: CachedReader | null): FileCalls {
  if (facts.isInMemory) return memoryCalls;
  return cached === null ? systemCalls : cachedCalls(cached);
}
