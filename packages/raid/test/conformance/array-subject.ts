import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Layer, NamedLayer } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { Manifest, Subject, TestBench } from "@cev/test-kit";
import { RaidLayer, createArray, raidDriver } from "../../src/index.ts";
import type { ArrayRow } from "./array-rows.ts";

const DATA_OFFSET = 16_384;
const OLD_UNIT = 65_536;
/** What a member must give for there to be room for a bitmap. */
const BITMAP_MIN = 65_536;
/** Of each member, for arrays that grow. */
const ROOM = 65_536;

export const DEGRADED: NonNullable<Manifest["skip"]> = {
  durability:
    "while a member is missing, a stripe whose writing a power cut interrupts does not tell what that member held; " +
    "such an array is read-only afterwards",
  errors:
    "the same: a write that fails half-way leaves a stripe that does not tell what the missing member held",
};

const COPYING: NonNullable<Manifest["skip"]> = {
  transparency: "copying in the background takes as long as the layers below do",
  refusals: "copying in the background reaches the lowers, too",
};

const UNGROWN =
  "the members of linear and RAID0 are used whole, and far copies would have to move: they are made anew";

/** An array that the package makes itself. */
export function arraySubject(row: ArrayRow): Subject {
  const { shape, version, bitmap, blockSize, state } = row;
  const how = [
    `superblocks ${version}`,
    ...(bitmap === "internal" ? ["bitmap"] : []),
    ...(blockSize === 512 ? [] : [`blocks of ${blockSize}`]),
    ...(state === "whole" ? [] : [state]),
  ];
  return {
    name: `${shape.name}, ${how.join(", ")}`,
    manifest: manifestOf(row),
    create: (bench) => create(bench, row),
  };
}

/** How the suite and the stack open an array. */
export function openArray(
  bench: TestBench,
  lowers: readonly NamedLayer[],
  isReadOnly: boolean,
): Promise<Layer> {
  const context = {
    environment: bench.environment,
    options: {},
    lowers: bench.random.shuffled(lowers),
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  };
  return raidDriver.open(context).then(([opened]) => opened!.layer);
}

/** Of an array in that state, which may lose so many members while it is whole. */
function manifestOf({ shape, state, version }: ArrayRow): Manifest {
  const { level, lossesMax } = shape;
  const isReadOnly = state === "read-only";
  const isParity = level >= 4 && level <= 6;
  const isCopying = state === "rebuilding" || state === "not synced";
  const left = state === "whole" || isReadOnly ? lossesMax : state === "not synced" ? 0 : lossesMax - 1;
  const skip = {
    ...(canGrow(level, shape.layout) ? {} : { resize: UNGROWN }),
    ...(isCopying ? COPYING : {}),
    ...(state === "rebuilding"
      ? { describe: "a spare that steps in goes from the end of the lowers to the place of a member" }
      : {}),
    ...(isParity && state !== "whole" && !isReadOnly ? DEGRADED : {}),
  };
  return {
    support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT,
    // Copies are read once more, piece by piece, before a member counts as failed.
    canHideErrors: left > 0 || (lossesMax > 0 && (!isParity || state !== "degraded")),
    lostLowersMax: isCopying ? 0 : left,
    skip,
    reopen: reopenWith(raidDriver, { isReadOnly, canWriteDegraded: true }),
    ...(canGrow(shape.level, shape.layout) && state === "whole" && version !== "0.90"
      ? { resize: { grow, shows: "reopened" as const } }
      : {}),
  };
}

/** Copies in the far half of the members would have to move. */
function canGrow(level: number, layout = 0): boolean {
  return level > 0 && (level !== 10 || (layout & 0xff00) <= 0x100);
}

async function grow(layer: Layer): Promise<number> {
  if (!(layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  await layer.growSize("max");
  return layer.limits.size;
}

async function create(bench: TestBench, row: ArrayRow): Promise<Layer> {
  const { shape, version, blockSize, state } = row;
  const { lossesMax } = shape;
  const memberSizes = shape.memberSizes.map((size) =>
    row.bitmap === "internal" ? Math.max(size, BITMAP_MIN) : size,
  );
  const members: NamedLayer[] = memberSizes.map((size, index) => ({
    name: `disk${index}`,
    layer: bench.lower({ size: deviceSize(size, row), blockSize }),
  }));
  const gone = state === "degraded" || state === "rebuilding" ? Math.min(1, lossesMax) : 0;
  const spares: NamedLayer[] = [];
  if (state === "rebuilding")
    spares.push({ name: "spare", layer: bench.lower({ size: deviceSize(memberSizes[0]!, row), blockSize }) });
  const present = members.map((member, index) => (gone > 0 && index === 1 ? null : member));
  if (bench.isFirst) {
    await createArray({
      environment: bench.environment,
      level: shape.level,
      members: present,
      spares,
      version,
      bitmap: row.bitmap,
      assumeClean: state !== "not synced",
      ...(row.bitmap === "internal" ? { bitmapChunkSize: 8192 } : {}),
      ...(shape.layout === undefined ? {} : { layout: shape.layout }),
      ...(shape.chunkSize === undefined ? {} : { chunkSize: shape.chunkSize }),
      ...(version.startsWith("1.") && version !== "1.0" ? { dataOffset: DATA_OFFSET } : {}),
      ...(lossesMax > 0 ? { size: memberSizes[0]! } : {}),
    });
  }
  const lowers = [...present.filter((member) => member !== null), ...spares];
  return openArray(bench, lowers, state === "read-only");
}

/** Room for the data, for the metadata, and for growing. */
function deviceSize(size: number, { version, shape }: ArrayRow): number {
  const room = shape.lossesMax > 0 ? ROOM : 0;
  if (version === "0.90") return Math.ceil(size / OLD_UNIT) * OLD_UNIT + OLD_UNIT;
  return DATA_OFFSET + size + room;
}
