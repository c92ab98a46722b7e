import { isCevError, readBytes, writeBytes } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { RaidLayer, createArray, raidDriver } from "@cev/raid";
import type { KindPlan, SimulationKind } from "@cev/test-kit";
import { raidChores } from "./raid-chores.ts";
import { GROWTH_CHORES } from "./raid-growth.ts";
import { isWhole, takeBack, verifyArray } from "./raid-members.ts";

const DATA_OFFSET = 16_384;
const CHUNK = 4096;
const GROWTH = 32_768;
const FAR = 0x201;

interface Shape {
  readonly level: number;
  readonly layout: number | null;
  readonly memberCount: number;
  readonly bitmap: boolean;
  /** One device more than it has members: another one is left out whenever a member is exchanged. */
  readonly hasSpare: boolean;
  /** The members have more than they give at first. */
  readonly grows: boolean;
  /** Not 1.0: there the data comes first, and with it the superblock of an array above, which could be that of a member. */
  readonly version: "1.1" | "1.2";
}

/** Copies, side by side or far apart. */
export const mirrorKind: SimulationKind = kindOf("raid-mirror", [
  { level: 1, memberCounts: [2, 3], layouts: [null] },
  { level: 1, memberCounts: [2], layouts: [null] },
  // Near, far and offset copies.
  { level: 10, memberCounts: [3, 4], layouts: [0x102, FAR, 0x10201] },
]);

/** Pairs of copies, and nothing that they are told to do: where a member that leaves just before the power goes is looked for most of all. */
export const pairKind: SimulationKind = mirrorsOf({
  name: "raid-pair",
  fits: ({ level, memberCount, hasSpare, grows }) => level === 1 && memberCount === 2 && !hasSpare && !grows,
  chores: [],
});

/** Those whose members are exchanged, and come back by the bitmap. */
export const exchangeKind: SimulationKind = mirrorsOf({
  name: "raid-exchange",
  fits: ({ level, bitmap, hasSpare, grows }) => level === 1 && bitmap && hasSpare && !grows,
  chores: ["exchange a member"],
});

/** Those that grow, and their bitmap with them. */
export const growthKind: SimulationKind = mirrorsOf({
  name: "raid-growth",
  fits: ({ level, memberCount, bitmap, hasSpare, grows }) =>
    level === 1 && memberCount === 2 && bitmap && !hasSpare && grows,
  chores: ["grow"],
});

/** Data and parity. */
export const parityKind: SimulationKind = kindOf("raid-parity", [
  { level: 4, memberCounts: [3, 4], layouts: [null] },
  { level: 5, memberCounts: [3, 4], layouts: [0, 1, 2, 3] },
  { level: 6, memberCounts: [4, 5], layouts: [null] },
]);

/** Nothing but data: over members of unlike sizes, and one behind the other. */
export const zonesKind: SimulationKind = kindOf("raid-zones", [
  { level: 0, memberCounts: [2, 3], layouts: [null] },
  { level: -1, memberCounts: [2, 3], layouts: [null] },
]);

interface Family {
  readonly level: number;
  readonly memberCounts: readonly number[];
  readonly layouts: readonly (number | null)[];
}

/** Of the arrays of copies some alone. */
function mirrorsOf({
  name,
  fits,
  chores,
}: {
  readonly name: string;
  readonly fits: (shape: Shape) => boolean;
  /** What they are told to do, by name. */
  readonly chores: readonly string[];
}): SimulationKind {
  return {
    ...mirrorKind,
    name,
    planVersion: 1,
    plan(random, size) {
      for (;;) {
        const plan = mirrorKind.plan(random, size);
        if (fits(plan.options as unknown as Shape)) return { ...plan, kind: name };
      }
    },
    chores: mirrorKind.chores!.filter((chore) => chores.includes(chore.name)),
  };
}

/** Arrays of md of some levels, with bitmap and without. */
function kindOf(name: string, families: readonly Family[]): SimulationKind {
  return {
    name,
    package: "@cev/raid",
    planVersion: 4,
    traits(options) {
      const { level } = options as unknown as Shape;
      return {
        lossesMax: lossesMaxOf(options as unknown as Shape),
        refusesDegraded: level >= 4 && level <= 6,
      };
    },
    plan(random, size) {
      const { level, memberCounts, layouts } = random.pick(families);
      const layout = random.pick(layouts);
      const shape: Shape = {
        level,
        layout,
        memberCount: random.pick(memberCounts),
        bitmap: level > 0 && random.chance(0.5),
        hasSpare: level > 0 && random.chance(0.3),
        // Far copies would have to move.
        grows: level > 0 && layout !== FAR && random.chance(0.4),
        version: random.pick(["1.1", "1.2"]),
      };
      const spread = level <= 0 && random.chance(0.5) ? CHUNK * random.between(1, 4) : 0;
      return planOf(name, shape, { size, spread });
    },
    *simpler({ kind, options, lowers }) {
      if (options["bitmap"] === true) yield { kind, options: { ...options, bitmap: false }, lowers };
      if (options["hasSpare"] === true)
        yield { kind, options: { ...options, hasSpare: false }, lowers: lowers.slice(0, -1) };
      if (options["grows"] === true) yield { kind, options: { ...options, grows: false }, lowers };
      if (options["version"] !== "1.2") yield { kind, options: { ...options, version: "1.2" }, lowers };
    },
    format,
    async open(site) {
      const [opened] = await raidDriver.open({
        environment: site.environment,
        options: {},
        lowers: await readableOf(site.lowers, site.environment),
        keySource: { keys: [] },
        isReadOnly: false,
        canWriteDegraded: true,
        directory: ".",
        report: () => undefined,
      });
      return opened!.layer;
    },
    async settle(layer) {
      if (layer instanceof RaidLayer) await layer.idle();
    },
    mend: async (layer, lowers, environment) => {
      if (layer instanceof RaidLayer) await mend(layer, lowers, environment);
    },
    chores: [...raidChores((options) => lossesMaxOf(options as unknown as Shape) > 0), ...GROWTH_CHORES],
    verify: async (layer) => (layer instanceof RaidLayer ? verifyArray(layer) : []),
  };
}

function lossesMaxOf({ level, memberCount }: Shape): number {
  if (level <= 0) return 0;
  return level === 1 ? memberCount - 1 : level === 6 ? 2 : 1;
}

function planOf(
  kind: string,
  shape: Shape,
  { size, spread }: { readonly size: number; readonly spread: number },
): KindPlan {
  const { level, memberCount, hasSpare, grows } = shape;
  const parts =
    level <= 0
      ? memberCount
      : level === 1
        ? 1
        : level === 10
          ? memberCount / 2
          : memberCount - (level === 6 ? 2 : 1);
  // RAID10 far and offset lose a chunk more to what does not come out even.
  const perMember = Math.ceil(size / parts / CHUNK) * CHUNK + 2 * CHUNK;
  return {
    kind,
    options: { ...shape },
    // md rounds down what a member gives: a bit more is always enough.
    lowers: Array.from(
      { length: memberCount + (hasSpare ? 1 : 0) },
      (_, index) => DATA_OFFSET + perMember + 65_536 + (grows ? GROWTH : 0) + index * spread,
    ),
  };
}

async function format({ environment, options, whole }: Parameters<SimulationKind["open"]>[0]): Promise<void> {
  const { level, layout, bitmap, version, memberCount, hasSpare, grows } = options as unknown as Shape;
  const members = whole().slice(0, memberCount);
  // Some lowers show more than was asked of them: the members are to give no more than the spare has.
  const smallest = Math.min(...whole().map(({ layer }) => layer.limits.size));
  for (const { layer } of whole()) await writeBytes(layer, environment, 0, new Uint8Array(DATA_OFFSET), true);
  await createArray({
    environment,
    level,
    members,
    name: "sim",
    version,
    dataOffset: DATA_OFFSET,
    ...(layout === null ? {} : { layout }),
    ...(hasSpare || grows
      ? { size: Math.floor((smallest - DATA_OFFSET - (grows ? GROWTH : 0)) / CHUNK) * CHUNK }
      : {}),
    ...(level === 1 || level === -1 ? {} : { chunkSize: CHUNK }),
    ...(level <= 0 ? {} : bitmap ? { bitmap: "internal", bitmapChunkSize: 8192 } : { bitmap: "none" }),
  });
}

/** Takes back what is there again. */
async function mend(
  layer: RaidLayer,
  lowers: readonly NamedLayer[],
  environment: Environment,
): Promise<void> {
  for (const lower of lowers) {
    const { members, spares, faulty } = layer.array;
    if (members.every(({ takesWrites }) => takesWrites)) return;
    const isNamed = ({ name }: { readonly name: string }): boolean => name === lower.name;
    const member = members.find(isNamed);
    // In use, or about to be rebuilt by itself.
    if (member?.takesWrites === true || spares.some(isNamed)) continue;
    // Its superblock may be there when half of it is still away: nobody adds that.
    if (!(await isWhole(lower, environment))) continue;
    if (member !== undefined || faulty.some(isNamed)) await layer.removeMember(lower.name);
    await takeBack(layer, lower, environment);
  }
}

/** The lowers that can be read: a disk that is gone is left out, as whoever looks for members would. */
async function readableOf(
  lowers: readonly (NamedLayer | null)[],
  environment: Environment,
): Promise<NamedLayer[]> {
  const readable: NamedLayer[] = [];
  for (const lower of lowers) {
    if (lower === null) continue;
    try {
      await readBytes(lower.layer, environment, 0, DATA_OFFSET);
      readable.push(lower);
    } catch (error) {
      if (!isCevError(error)) throw error;
    }
  }
  return readable;
}
