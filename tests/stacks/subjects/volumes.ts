/** Volumes that are trees of layers, opened from the metadata of a group with the engines of other packages. */
import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import { lvmDriver } from "@cev/lvm";
import { reopenWith } from "@cev/test-kit";
import type { Manifest, Subject } from "@cev/test-kit";
import { CHUNK, DEVICE_ID, dataChunkCount, thinPool } from "../../simulation/kinds/thin-pool.ts";
import { engineOpener, openVolume } from "../volume-group.ts";
import type { GroupRecipe, Volumes } from "../volume-group.ts";

const EXTENT_COUNT = 24;
const SKIP = {
  resize: "a volume grows by a command on its group while nobody has it open (lvextend), and is opened anew",
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

/** Of the volume's chunks, which are sixteen extents each. The second was never written. */
const THIN_CHUNKS = 3;
const { metadata: thinMetadata, data: thinData } = thinPool(THIN_CHUNKS);
const thinExtents = (chunkCount: number): number => (chunkCount * CHUNK) / 4096;
const THIN_LINES = `type = "thin"
thin_pool = "pool"
transaction_id = 0
device_id = ${DEVICE_ID}`;

const thin: GroupRecipe = {
  pvCount: 2,
  visible: ["root"],
  wanted: "root",
  contents: { pool_tmeta: thinMetadata, pool_tdata: thinData },
  volumes: {
    root: { extentCount: thinExtents(THIN_CHUNKS), lines: THIN_LINES },
    pool: {
      extentCount: thinExtents(dataChunkCount(THIN_CHUNKS)),
      lines: `type = "thin-pool"
metadata = "pool_tmeta"
pool = "pool_tdata"
transaction_id = 0
chunk_size = 128`,
    },
    pool_tmeta: [[0, 3, thinMetadata.length / 4096]],
    pool_tdata: [[1, 10, thinExtents(dataChunkCount(THIN_CHUNKS))]],
  },
};

/** A thin volume of the same group that reads what it does not have from a volume outside the pool. */
const thinOverOrigin: GroupRecipe = {
  ...thin,
  pvCount: 3,
  visible: ["root", "base"],
  volumes: {
    ...thin.volumes,
    root: {
      extentCount: thinExtents(THIN_CHUNKS),
      lines: `${THIN_LINES}\nexternal_origin = "base"`,
    },
    base: [[2, 9, 40]],
  },
};

/** Every type, with how many of its members hold parity or, of RAID10, copies. */
const RAID_TYPES: { readonly [type: string]: readonly [memberCount: number, dataCount: number] } = {
  raid0: [3, 3],
  raid0_meta: [2, 2],
  raid1: [3, 1],
  raid10: [4, 2],
  raid4: [3, 2],
  ...Object.fromEntries(["n", "la", "ra", "ls", "rs"].map((name) => [`raid5_${name}`, [3, 2] as const])),
  ...Object.fromEntries(
    ["zr", "nr", "nc", "n_6", "la_6", "ra_6", "ls_6", "rs_6"].map((name) => [
      `raid6_${name}`,
      [5, 3] as const,
    ]),
  ),
};

/** A volume of a RAID type, each of its members on a physical volume of its own. */
function raidRecipe(type: string): GroupRecipe {
  const [memberCount, dataCount] = RAID_TYPES[type]!;
  const hasMetadata = type !== "raid0";
  const imageExtents = 6;
  const places = Array.from({ length: memberCount }, (_, index) => index);
  const members = places.map((index) =>
    hasMetadata ? `"root_rmeta_${index}", "root_rimage_${index}"` : `"root_rimage_${index}"`,
  );
  const parts: [string, Volumes[string]][] = places.flatMap((index): [string, Volumes[string]][] => [
    ...(hasMetadata ? ([[`root_rmeta_${index}`, [[index, 0, 2]]]] as [string, Volumes[string]][]) : []),
    [
      `root_rimage_${index}`,
      [
        [index, 30, 2],
        [index, 3 + index, imageExtents - 2],
      ],
    ],
  ]);
  const lines = [
    `type = "${type}"`,
    `${type.startsWith("raid0") ? "stripe_count" : "device_count"} = ${memberCount}`,
    ...(type === "raid1" ? [] : ["stripe_size = 8"]),
    ...(type.startsWith("raid0") ? [] : ["region_size = 8"]),
    `${type === "raid0" ? "raid0_lvs" : "raids"} = [${members.join(", ")}]`,
  ];
  const root = { extentCount: imageExtents * dataCount, lines: lines.join("\n") };
  return {
    pvCount: memberCount,
    visible: ["root"],
    wanted: "root",
    volumes: { root, ...Object.fromEntries(parts) },
  };
}

const WRITABLE: Manifest = { support: FULL_SUPPORT, canHideErrors: true, skip: SKIP };
/** Read as the pool says, and never written. */
const THIN: Manifest = { support: READ_ONLY_SUPPORT, skip: { resize: SKIP.resize } };

function subjectOf(name: string, recipe: GroupRecipe, manifest: Manifest = WRITABLE): Subject {
  return {
    name: `a volume group's ${name}`,
    manifest: {
      ...manifest,
      reopen: (description, bench) =>
        reopenWith(lvmDriver, { canWriteDegraded: true, openWith: engineOpener(bench) })(description, bench),
    },
    create: (bench) => openVolume(bench, recipe),
  };
}

export const volumeSubjects: readonly Subject[] = [
  subjectOf("mirror", mirror),
  subjectOf("origin that is a RAID1 volume", copied),
  subjectOf("snapshot of a RAID1 volume", { ...copied, wanted: "before" }),
  subjectOf("thin volume", thin, THIN),
  subjectOf("thin volume with an origin outside its pool", thinOverOrigin, THIN),
  ...Object.keys(RAID_TYPES).map((type) => subjectOf(`${type} volume`, raidRecipe(type))),
];
