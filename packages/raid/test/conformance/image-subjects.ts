/** Arrays that the package opens, and does not make: in the middle of a reshape, with a write journal, with a partial parity log. */
import { READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import type { NamedLayer } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { FeatureFlag, Role, raidDriver } from "../../src/index.ts";
import type { Superblock } from "../../src/index.ts";
import { memberSize, makeImages, makeSuperblock } from "../support/make-array.ts";
import type { ArrayShape } from "../support/make-array.ts";
import { encodeSuperblock } from "../../src/metadata/superblock.ts";
import { openArray } from "./array-subject.ts";

const SECTOR = 512;
const LEVELS = [4, 5, 6];

interface ImageRow {
  readonly name: string;
  readonly shape: ArrayShape;
  /** Of a device beside the members, in the place behind them. */
  readonly journal?: Partial<Superblock>;
}

const journalRoles = { features: FeatureFlag.journal, roles: [0, 1, 2, 3, Role.journal] };
const reshape = { level: 5, memberDelta: 0, layout: 2, chunkSectors: 8, offsetSectors: 0 };

const rows: readonly ImageRow[] = [
  ...LEVELS.map((level) => ({
    name: `RAID${level} with a write journal`,
    shape: { changes: () => ({ ...journalRoles, level, layout: level === 4 ? 0 : 2 }) },
    journal: { ...journalRoles, level, layout: level === 4 ? 0 : 2 },
  })),
  {
    name: "RAID5 with a partial parity log",
    shape: {
      changes: () => ({
        features: FeatureFlag.partialParityLog,
        partialParityLog: { offsetSectors: 8, sizeSectors: 8 },
      }),
    },
  },
  {
    name: "RAID5 half-way from another layout",
    shape: {
      changes: () => ({
        features: FeatureFlag.reshape | FeatureFlag.newOffset,
        layout: 0,
        reshape: { ...reshape, positionSectors: 96, offsetSectors: -16 },
      }),
    },
  },
  {
    name: "RAID5 half-way from four members to five",
    shape: {
      memberCount: 5,
      chunkCount: 16,
      changes: () => ({
        features: FeatureFlag.reshape,
        reshape: { ...reshape, memberDelta: 1, positionSectors: 256 },
      }),
    },
  },
];

function subjectOf({ name, shape, journal }: ImageRow): Subject {
  return {
    name: `${name}, read-only`,
    manifest: {
      support: READ_ONLY_SUPPORT,
      canHideErrors: true,
      reopen: reopenWith(raidDriver, { isReadOnly: true }),
    },
    async create(bench) {
      const images = makeImages(shape);
      if (journal !== undefined) images.push(journalImage(shape, journal));
      const lowers: NamedLayer[] = [];
      for (const [index, image] of images.entries()) {
        const layer = bench.lower({ size: image.length });
        if (bench.isFirst) await writeBytes(layer, bench.environment, 0, image, true);
        lowers.push({ name: `disk${index}`, layer });
      }
      return openArray(bench, lowers, false);
    },
  };
}

/** A journal that holds nothing. */
function journalImage(shape: ArrayShape, changes: Partial<Superblock>): Uint8Array {
  const image = new Uint8Array(memberSize(shape));
  const superblock = { ...makeSuperblock(shape.memberCount ?? 4), ...changes, resyncSectors: 0 };
  image.set(encodeSuperblock(superblock), superblock.superOffsetSectors * SECTOR);
  return image;
}

export const imageSubjects: readonly Subject[] = rows.map(subjectOf);
