/** RAID volumes of LVM, of every type. */
import { FULL_SUPPORT, READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import type { NamedLayer } from "@cev/core";
import { pairsOf, reopenWith } from "@cev/test-kit";
import type { Manifest, Subject } from "@cev/test-kit";
import { RAID_TYPE_NAMES } from "../../src/dm-raid/raid-types.ts";
import { raidDriver } from "../../src/index.ts";
import { dmImages, dmOption } from "../support/dm-images.ts";
import { DEGRADED } from "./array-subject.ts";

const MISSING = 1;

interface DmRow {
  readonly type: string;
  readonly state: "whole" | "degraded" | "read-only";
  readonly blockSize: 512 | 4096;
}

const kindOf = (type: string): string => /^raid1?[0-9]/.exec(type)![0];
const FIRST_TYPES = RAID_TYPE_NAMES.filter(
  (type, index) => RAID_TYPE_NAMES.findIndex((other) => kindOf(other) === kindOf(type)) === index,
);

/** Every type whole, and every kind of them in each state. */
const rows: readonly DmRow[] = [
  ...RAID_TYPE_NAMES.map((type, index): DmRow => ({
    type,
    state: "whole",
    blockSize: index % 3 === 1 ? 4096 : 512,
  })),
  ...pairsOf<DmRow>({ type: FIRST_TYPES, state: ["degraded", "read-only"], blockSize: [512, 4096] }),
];

function memberCountOf(type: string): number {
  if (type.startsWith("raid10")) return 4;
  return type.startsWith("raid6") ? 5 : 3;
}

function manifestOf({ type, state }: DmRow): Manifest {
  const isMirror = kindOf(type) === "raid1" || kindOf(type) === "raid10";
  const isReadOnly = state === "read-only";
  return {
    support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT,
    canHideErrors: isMirror || state !== "degraded" || kindOf(type) === "raid6",
    lostLowersMax: state === "whole" ? 1 : 0,
    skip: state === "degraded" && !isMirror ? DEGRADED : {},
    reopen: reopenWith(raidDriver, { isReadOnly, canWriteDegraded: true }),
  };
}

function subjectOf(row: DmRow): Subject {
  const { type, state, blockSize } = row;
  const option = dmOption(type, memberCountOf(type), 12);
  return {
    name: `an LVM volume of ${type} in blocks of ${blockSize}${state === "whole" ? "" : `, ${state}`}`,
    manifest: manifestOf(row),
    async create(bench) {
      const { environment } = bench;
      const lowers: NamedLayer[] = [];
      const members: (number | null)[] = [];
      for (const [position, image] of dmImages(option).entries()) {
        const isMissing = state === "degraded" && position === MISSING;
        members.push(isMissing ? null : lowers.length);
        if (isMissing) continue;
        const layer = bench.lower({ size: image.length, blockSize });
        if (bench.isFirst) await writeBytes(layer, environment, 0, image, true);
        lowers.push({ name: `member${position}`, layer });
      }
      const [opened] = await raidDriver.open({
        environment,
        options: { dmRaid: { ...option, members } },
        lowers,
        keySource: { keys: [] },
        isReadOnly: state === "read-only",
        canWriteDegraded: true,
        directory: ".",
        report: () => undefined,
      });
      return opened!.layer;
    },
  };
}

export const dmSubjects: readonly Subject[] = rows.map(subjectOf);
