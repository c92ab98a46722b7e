import { fc, test } from "@fast-check/vitest";
import { isCevError } from "@cev/core";
import { expect } from "vitest";
import { linear, segment, uuidOf, volume } from "./support/group-image.ts";
import { openWithEngines } from "./support/open-with-engines.ts";

const LEAVES = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8"];
const TYPES = [
  ...["striped", "mirror", "moved", "zero", "error", "snapshot", "merging", "thin-pool", "thin"],
  ...["raid0", "raid0_meta", "raid1", "raid5_ls"],
];

/** What a volume is to be made of; which volumes that takes is found out as they are dealt out. */
interface Made {
  readonly type: string;
  readonly partCount: number;
  readonly extentCount: number;
  readonly status: string;
  readonly size: number;
}

const made: fc.Arbitrary<Made> = fc.record({
  type: fc.constantFrom(...TYPES),
  partCount: fc.integer({ min: 1, max: 3 }),
  extentCount: fc.integer({ min: 1, max: 3 }),
  status: fc.constantFrom(
    '["READ", "WRITE", "VISIBLE"]',
    '["READ", "WRITE"]',
    '["READ", "VISIBLE"]',
    '["READ", "WRITE", "VISIBLE", "LOCKED"]',
    '["READ", "WRITE", "REBUILD"]',
  ),
  size: fc.constantFrom(0, 1, 4, 8, 1024),
});

/** The lines of a segment. `next` deals out volumes that nobody else is made of. */
function linesOf({ type, partCount, extentCount, size }: Made, next: () => string): string[] {
  const parts = (count = partCount): string[] => Array.from({ length: count }, next);
  const places = (): string =>
    parts()
      .flatMap((part) => [`"${part}", 0`])
      .join(", ");
  switch (type) {
    case "striped":
      return [
        `type = "striped"`,
        `stripe_count = ${partCount}`,
        `stripe_size = ${size}`,
        `stripes = [${places()}]`,
      ];
    case "mirror":
      return [
        `type = "mirror"`,
        `mirror_count = ${partCount}`,
        `region_size = ${size}`,
        `mirrors = [${places()}]`,
        ...(size > 1 ? [`mirror_log = "${next()}"`] : []),
      ];
    case "moved":
      return [
        `type = "mirror"`,
        `mirror_count = ${partCount}`,
        `mirrors = [${places()}]`,
        `extents_moved = ${Math.min(size, extentCount)}`,
      ];
    case "snapshot":
    case "merging":
      return [
        `type = "snapshot"`,
        "chunk_size = 8",
        `origin = "${next()}"`,
        `${type === "snapshot" ? "cow" : "merging"}_store = "${next()}"`,
      ];
    case "thin-pool":
      return [
        `type = "thin-pool"`,
        `metadata = "${next()}"`,
        `pool = "${next()}"`,
        "transaction_id = 1",
        "chunk_size = 128",
      ];
    case "thin":
      return [
        `type = "thin"`,
        `thin_pool = "${next()}"`,
        "transaction_id = 0",
        "device_id = 1",
        ...(size > 1 ? [`external_origin = "${next()}"`] : []),
        ...(size > 8 ? [`merge = "${next()}"`] : []),
      ];
    case "raid0":
      return [
        `type = "raid0"`,
        `stripe_count = ${partCount}`,
        `stripe_size = ${size + 1}`,
        `raid0_lvs = [${parts()
          .map((part) => `"${part}"`)
          .join(", ")}]`,
      ];
    case "raid0_meta":
    case "raid1":
    case "raid5_ls":
      return [
        `type = "${type}"`,
        `device_count = ${partCount}`,
        `stripe_count = ${partCount}`,
        "stripe_size = 8",
        `region_size = ${size}`,
        `raids = [${parts(2 * partCount)
          .map((part) => `"${part}"`)
          .join(", ")}]`,
      ];
    default:
      return [`type = "${type}"`];
  }
}

/** Volumes over leaves and over one another, so that most of what they say of each other can be true. */
function groupOf(makes: readonly Made[], order: readonly string[]): Record<string, string> {
  const volumes: Record<string, string> = {};
  for (const [index, leaf] of LEAVES.entries())
    volumes[leaf] = linear(uuidOf(String(index)), [[4, `pv${index % 3}`, index * 4]], '["READ", "WRITE"]');
  const free = [...order];
  makes.forEach((make, index) => {
    const name = `v${index}`;
    const lines = linesOf(make, () => free.shift() ?? "nothing");
    volumes[name] = volume(
      uuidOf(String.fromCharCode(97 + index)),
      [segment(lines.join("\n"), make.extentCount)],
      make.status,
    );
    // Sooner or later others are made of it in turn.
    free.splice(index, 0, name);
  });
  return volumes;
}

test.prop(
  [
    fc.array(made, { minLength: 1, maxLength: 4 }),
    fc.shuffledSubarray(LEAVES, { minLength: LEAVES.length }),
    fc.subarray([0, 1, 2], { maxLength: 2 }),
  ],
  { numRuns: 40 },
)(
  "whatever volumes say of one another, they are opened or refused, and nothing is written",
  async (makes, order, without) => {
    const volumes = groupOf(makes, order);
    for (const names of [null, ["v0"]]) {
      try {
        const { disks } = await openWithEngines(volumes, { without, volumes: names });
        expect(disks.map(({ writeCount }) => writeCount)).toEqual([0, 0, 0]);
        expect(disks.map(({ claims }) => claims.count)).toEqual([0, 0, 0]);
      } catch (error) {
        if (!isCevError(error)) throw error;
      }
    }
  },
);
