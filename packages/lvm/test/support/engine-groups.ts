import { linear, segment, uuidOf, volume } from "./group-image.ts";
import { HIDDEN } from "./open-with-engines.ts";

/** A RAID1 volume `root` of two members. */
export const raid1: Readonly<Record<RaidName, string>> = {
  root: volume(uuidOf("r"), [
    segment(
      'type = "raid1"\ndevice_count = 2\nregion_size = 4\nraids = ["root_rmeta_0", "root_rimage_0", "root_rmeta_1", "root_rimage_1"]',
      2,
    ),
  ]),
  root_rmeta_0: linear(uuidOf("0"), [[1, "pv0", 0]], HIDDEN),
  root_rimage_0: linear(
    uuidOf("1"),
    [
      [1, "pv0", 9],
      [1, "pv0", 3],
    ],
    HIDDEN,
  ),
  root_rmeta_1: linear(uuidOf("2"), [[1, "pv1", 0]], HIDDEN),
  root_rimage_1: linear(uuidOf("3"), [[2, "pv1", 1]], HIDDEN),
};

type RaidName = "root" | "root_rmeta_0" | "root_rimage_0" | "root_rmeta_1" | "root_rimage_1";

/** A linear volume `root` with two snapshots. */
export const snapshots: Readonly<Record<SnapshotName, string>> = {
  root: linear(uuidOf("r"), [[4, "pv0", 0]]),
  snapshot0: volume(uuidOf("s"), [
    segment('type = "snapshot"\nchunk_size = 8\norigin = "root"\ncow_store = "before"', 4),
  ]),
  before: linear(uuidOf("b"), [[2, "pv1", 0]], HIDDEN),
  snapshot1: volume(uuidOf("t"), [
    segment('type = "snapshot"\nchunk_size = 16\norigin = "root"\ncow_store = "later"', 4),
  ]),
  later: linear(uuidOf("l"), [[3, "pv2", 0]], HIDDEN),
};

type SnapshotName = "root" | "snapshot0" | "before" | "snapshot1" | "later";
