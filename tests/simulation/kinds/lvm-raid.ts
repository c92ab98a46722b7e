import { CevError } from "@cev/core";
import type { Layer, Problem } from "@cev/core";
import { RaidLayer } from "@cev/raid";
import type { SimulationKind } from "@cev/test-kit";
import {
  DATA_OFFSET,
  EXTENT,
  SECTOR,
  formatGroup,
  linear,
  openGroup,
  segment,
  header,
  volume,
} from "./lvm-image.ts";
import type { Volumes } from "./lvm-image.ts";
import { verifyArray } from "./raid-members.ts";

// A superblock, and behind it the bitmap.
const META_EXTENTS = 2;
const STRIPE = 4096;

interface Shape {
  readonly type: string;
  readonly memberCount: number;
  /** Bytes that a bit of the bitmap covers. */
  readonly regionSize: number;
  /** Extents of each member's data. */
  readonly perMember: number;
  /** They lie in two pieces, the second before the first. */
  readonly isSplit: boolean;
}

interface Family {
  readonly types: readonly string[];
  readonly memberCounts: readonly number[];
}

const FAMILIES: readonly Family[] = [
  { types: ["raid1"], memberCounts: [2, 3] },
  { types: ["raid10"], memberCounts: [4] },
  { types: ["raid4", "raid5", "raid5_la", "raid5_ra", "raid5_rs", "raid5_n"], memberCounts: [3, 4] },
  { types: ["raid6", "raid6_nr", "raid6_nc", "raid6_ls_6", "raid6_n_6"], memberCounts: [5] },
  { types: ["raid0"], memberCounts: [2, 3] },
];

/** RAID volumes of LVM: arrays of dm-raid, whose superblocks say less than those of md, a physical volume for each member. */
export const raidVolumeKind: SimulationKind = {
  name: "lvm-raid",
  package: "@cev/lvm",
  planVersion: 2,
  traits(options) {
    const { type } = options as unknown as Shape;
    // One that was away together with another one, and comes back later, may have been written apart from it: only LVM can say that it is to
    // be rebuilt.
    return { lossesMax: type === "raid0" ? 0 : 1, refusesDegraded: isParity(type) };
  },
  plan(random, size) {
    const { types, memberCounts } = random.pick(FAMILIES);
    const type = random.pick(types);
    const memberCount = random.pick(memberCounts);
    const perMember = Math.ceil(size / EXTENT / dataCountOf(type, memberCount));
    const shape: Shape = {
      type,
      memberCount,
      regionSize: random.pick([4096, 8192, 32_768]),
      perMember,
      isSplit: perMember > 1 && random.chance(0.3),
    };
    const length = DATA_OFFSET + EXTENT * (META_EXTENTS + perMember);
    return {
      kind: "lvm-raid",
      options: { ...shape },
      lowers: Array.from({ length: memberCount }, () => length),
    };
  },
  *simpler({ kind, options, lowers }) {
    if (options["isSplit"] === true) yield { kind, options: { ...options, isSplit: false }, lowers };
    if (options["regionSize"] !== 8192) yield { kind, options: { ...options, regionSize: 8192 }, lowers };
  },
  format: (site) => formatGroup(site, volumesOf(site.options as unknown as Shape)),
  async open(site) {
    const problems: Problem[] = [];
    const report = (problem: Problem): void => void problems.push(problem);
    const [opened] = await openGroup(site, { volumes: ["root"], mayLack: true, report });
    // Its superblocks do not say whether an array with a member out was shut down cleanly: what that warns of is the write hole.
    const warning = problems.find(({ message }) => message.includes("dm-raid does not record"));
    if (warning !== undefined) throw new CevError("CEV_DEGRADED", warning.message);
    return opened!.layer;
  },
  async settle(layer) {
    await arrayOf(layer)?.idle();
  },
  // What comes back is taken back as it is opened.
  mend: async () => undefined,
  chores: [
    {
      name: "check and repair",
      async run({ layer }) {
        const array = arrayOf(layer);
        if (array === null) return [];
        await array.idle();
        if ((await array.check()) > 0) await array.repair();
        return [];
      },
    },
  ],
  verify: async (layer) => {
    const array = arrayOf(layer);
    return array === null ? [] : verifyArray(array);
  },
};

const isParity = (type: string): boolean => /^raid[456]/.test(type);

function dataCountOf(type: string, memberCount: number): number {
  if (type === "raid1") return 1;
  if (type === "raid10") return memberCount / 2;
  return memberCount - (type === "raid0" ? 0 : type.startsWith("raid6") ? 2 : 1);
}

/** The array below a volume; null: it is RAID0, which needs none. */
function arrayOf(layer: Layer): RaidLayer | null {
  const [below] = layer.lowers;
  return below instanceof RaidLayer ? below : null;
}

function volumesOf({ type, memberCount, regionSize, perMember, isSplit }: Shape): Volumes {
  const members = Array.from({ length: memberCount }, (_, index) => index);
  const uuid = (index: number): number => memberCount + index;
  const names = (parts: readonly string[]): string =>
    members.flatMap((index) => parts.map((part) => `"root_${part}_${index}"`)).join(", ");
  const count = `${type === "raid0" ? "stripe_count" : "device_count"} = ${memberCount}`;
  const lines = [`type = "${type}"`, count];
  if (type !== "raid1") lines.push(`stripe_size = ${STRIPE / SECTOR}`);
  if (type !== "raid0") lines.push(`region_size = ${regionSize / SECTOR}`);
  if (type === "raid10") lines.push("data_copies = 2");
  lines.push(
    type === "raid0" ? `raid0_lvs = [${names(["rimage"])}]` : `raids = [${names(["rmeta", "rimage"])}]`,
  );
  const volumes: Record<string, string> = {
    root: volume(uuid(0), perMember * dataCountOf(type, memberCount), lines),
  };
  for (const index of members) {
    if (type !== "raid0")
      volumes[`root_rmeta_${index}`] = volume(
        uuid(1 + index),
        META_EXTENTS,
        [linear(`pv${index}`, 0)],
        false,
      );
    volumes[`root_rimage_${index}`] = imageOf(uuid(1 + memberCount + index), index, { perMember, isSplit });
  }
  return volumes;
}

function imageOf(
  uuid: number,
  index: number,
  { perMember, isSplit }: Pick<Shape, "perMember" | "isSplit">,
): string {
  const pv = `pv${index}`;
  if (!isSplit) return volume(uuid, perMember, [linear(pv, META_EXTENTS)], false);
  const first = Math.floor(perMember / 2);
  const pieces = [
    segment(0, 0, first, linear(pv, META_EXTENTS + perMember - first)),
    segment(1, first, perMember - first, linear(pv, META_EXTENTS)),
  ];
  return `${header(uuid, false)}\nsegment_count = 2\n${pieces.join("\n")}`;
}
