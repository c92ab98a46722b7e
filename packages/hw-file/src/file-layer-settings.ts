import type { CachedReader } from "./cached-reader.ts";
import type { FileCalls } from "./file-calls.ts";
import type { HoleFinder } from "./hole-finder.ts";
import type { HolePuncher } from "./hole-puncher.ts";

/** Settings of a `FileLayer` that are not the user's to make. */
export interface FileLayerSettings {
  /** How many system calls are under way at once; further requests wait, and neighbours among them share a call. Default 16. */
  readonly queueDepthMax?: number;
  /** The system calls; by default those of `node:fs`, and what lies in memory is moved at once. */
  readonly calls?: FileCalls;
  /** What reads from page cache at once; null: nothing. By default as the platform lets us, and not used with other `calls`. */
  readonly cached?: CachedReader | null;
  /** How holes are punched; null: not at all. By default as the platform lets us. */
  readonly holes?: HolePuncher | null;
  /** How holes are found; null: not at all. By default as the platform lets us, and not at all with other `calls`. */
  readonly finder?: HoleFinder | null;
}
