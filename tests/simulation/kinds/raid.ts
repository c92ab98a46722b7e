import { adapt, isCevError, readBytes, writeBytes } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { RaidLayer, createArray, raidDriver } from "@cev/raid";
import type { KindPlan, SimulationKind } from "@cev/test-kit";

const DATA_OFFSET = 16_384;
const CHUNK = 4096;
const PART = 65_536;

interface Shape {
  readonly level: number;
  readonly layout: number | null;
  readonly memberCount: number;
  readonly bitmap: boolean;
}

const LEVELS = [0, 1, 1, 4, 5, 5, 6, 10];

/** Arrays of md: every level, with bitmap and without. */
export const raidKind: SimulationKind = {
  name: "raid",
  package: "@cev/raid",
  planVersion: 1,
  traits(options) {
    const { level, memberCount } = options as unknown as Shape;
    const lossesMax = level === 0 ? 0 : level === 1 ? memberCount - 1 : level === 6 ? 2 : 1;
    return { lossesMax, refusesDegraded: level >= 4 && level <= 6 };
  },
  plan(random, size) {
    const level = random.pick(LEVELS);
    const memberCount =
      level === 6 ? random.between(4, 5) : level >= 4 ? random.between(3, 4) : random.between(2, 3);
    const layout = level === 5 ? random.below(4) : level === 10 ? 0x102 : null;
    return planOf({ level, layout, memberCount, bitmap: level > 0 && random.chance(0.5) }, size);
  },
  async format({ environment, options, whole }) {
    const { level, layout, bitmap } = options as unknown as Shape;
    const members = whole();
    for (const { layer } of members)
      await writeBytes(layer, environment, 0, new Uint8Array(DATA_OFFSET), true);
    await createArray({
      environment,
      level,
      members,
      name: "sim",
      dataOffset: DATA_OFFSET,
      ...(layout === null ? {} : { layout }),
      ...(level === 1 ? {} : { chunkSize: CHUNK }),
      ...(bitmap ? { bitmap: "internal", bitmapChunkSize: 8192 } : { bitmap: "none" }),
    });
  },
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
  async mend(layer, lowers, environment) {
    if (!(layer instanceof RaidLayer)) return;
    for (const lower of lowers) {
      const { members, spares, faulty } = layer.array;
      if (members.some(({ name, isInSync }) => name === lower.name && isInSync)) continue;
      // Its superblock may be there when half of it is still away: nobody adds that.
      if (!(await isWhole(lower, environment))) continue;
      if (members.some(({ name }) => name === lower.name)) await layer.failMember(lower.name);
      if ([...members, ...spares, ...faulty].some(({ name }) => name === lower.name))
        await layer.removeMember(lower.name);
      await takeBack(layer, withSmallBlocks(lower, environment));
    }
  },
  async verify(layer) {
    if (!(layer instanceof RaidLayer)) return [];
    const findings: string[] = [];
    const out = layer.array.members.filter(({ isInSync }) => !isInSync);
    if (out.length > 0) findings.push(`${out.length} members are not in order although none was lost`);
    return findings;
  },
};

function planOf(shape: Shape, size: number): KindPlan {
  const { level, memberCount } = shape;
  const part =
    level === 0
      ? memberCount
      : level === 1
        ? 1
        : level === 10
          ? memberCount / 2
          : memberCount - (level === 6 ? 2 : 1);
  const perMember = Math.ceil(size / part / CHUNK) * CHUNK + CHUNK;
  return {
    kind: "raid",
    options: { ...shape },
    // md rounds down what a member gives: a bit more is always enough.
    lowers: Array.from({ length: memberCount }, () => DATA_OFFSET + perMember + 65_536),
  };
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

/** True where all of it can be read, and may be written. */
async function isWhole({ layer }: NamedLayer, environment: Environment): Promise<boolean> {
  if (layer.support.write === "none") return false;
  try {
    for (let at = 0; at < layer.limits.size; at += PART)
      await readBytes(layer, environment, at, Math.min(PART, layer.limits.size - at));
    return true;
  } catch (error) {
    if (isCevError(error)) return false;
    throw error;
  }
}

/** An array that runs without its member of large blocks has small ones, and takes none that are larger. */
function withSmallBlocks({ name, layer }: NamedLayer, environment: Environment): NamedLayer {
  return { name, layer: layer.limits.logicalBlockSize > 512 ? adapt(layer, environment, 512) : layer };
}

/** By the bitmap, where there is one that goes back far enough; else all of it is copied. */
async function takeBack(layer: RaidLayer, { layer: disk, name }: NamedLayer): Promise<void> {
  try {
    await layer.reAddMember(disk, name);
  } catch (error) {
    if (!isCevError(error) || error.code !== "CEV_INVALID") throw error;
    await layer.addMember(disk, name);
  }
}
