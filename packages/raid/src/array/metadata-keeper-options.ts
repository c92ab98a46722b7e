import type { Problem } from "@cev/core";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { RunningArray } from "./running-array.ts";

/** What a `MetadataKeeper` is made of. */
export interface MetadataKeeperOptions {
  readonly array: RunningArray;
  /** The newest superblock. */
  readonly superblock: Superblock;
  readonly bitmap: MemberBitmap | null;
  readonly report: (problem: Problem) => void;
}
