/** Volumes that are trees of layers, opened from the metadata of a group with the engines of other packages. */
import { FULL_SUPPORT } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { describe, test } from "vitest";
import { openVolume } from "../volume-group.ts";
import type { GroupRecipe } from "../volume-group.ts";

const EXTENT_COUNT = 24;
const SKIP = {
  transparency: "copying in the background takes as long as the layers below do",
  refusals: "copying in the background reaches the lowers, too",
  errors: "each engine is swept by itself, in its own package",
};

const mirror: GroupRecipe = {
  pvCount: 3,
  visible: ["root"],
  wanted: "root",
  volumes: {
    root: {
      extentCount: EXTENT_COUNT,
      lines: `type = "mirror"
mirror_count = 2
mirror_log = "root_mlog"
region_size = 16
mirrors = ["root_mimage_0", 0, "root_mimage_1", 0]`,
    },
    root_mlog: [[2, 0, 1]],
    root_mimage_0: [
      [0, 40, 10],
      [0, 10, EXTENT_COUNT - 10],
    ],
    root_mimage_1: [[1, 5, EXTENT_COUNT]],
  },
};

const copied: GroupRecipe = {
  pvCount: 2,
  visible: ["root", "snapshot0"],
  wanted: "root",
  stores: [{ name: "before", chunkSize: 4096 }],
  volumes: {
    root: {
      extentCount: EXTENT_COUNT,
      lines: `type = "raid1"
device_count = 2
region_size = 8
raids = ["root_rmeta_0", "root_rimage_0", "root_rmeta_1", "root_rimage_1"]`,
    },
    root_rmeta_0: [[0, 0, 2]],
    root_rimage_0: [
      [0, 30, 4],
      [0, 4, EXTENT_COUNT - 4],
    ],
    root_rmeta_1: [[1, 90, 2]],
    root_rimage_1: [[1, 1, EXTENT_COUNT]],
    snapshot0: {
      extentCount: EXTENT_COUNT,
      lines: `type = "snapshot"
chunk_size = 8
origin = "root"
cow_store = "before"`,
    },
    before: [[1, 40, EXTENT_COUNT + 4]],
  },
};

function subjectOf(name: string, recipe: GroupRecipe): Subject {
  return {
    name: `a volume group's ${name}`,
    manifest: { support: FULL_SUPPORT, canHideErrors: true, skip: SKIP },
    create: (bench) => openVolume(bench, recipe),
  };
}

const subjects: readonly Subject[] = [
  subjectOf("mirror", mirror),
  subjectOf("origin that is a RAID1 volume", copied),
  subjectOf("snapshot of a RAID1 volume", { ...copied, wanted: "before" }),
];

for (const subject of subjects) testLayer(subject, { describe, test });
