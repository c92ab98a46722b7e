/** The layers of this repository as building blocks: each makes a device of at least a given size from what is below it. */
import {
  AsyncLayer,
  EmulationLayer,
  FULL_SUPPORT,
  SegmentMap,
  SplitLayer,
  adapt,
  closeTree,
  openTree,
  writeBytes,
} from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, MappedSegment, Next, Support } from "@cev/core";
import { CryptLayer } from "@cev/crypt";
import { VolumeLayer } from "@cev/lvm";
import { raidDriver } from "@cev/raid";
import { WindowLayer } from "@cev/stack";
import { CheckingLayer, NoOpLayer } from "@cev/test-kit";
import type { TestBench } from "@cev/test-kit";
import { CHUNK_SIZE, DATA_START, MEMBER_COUNT, superblockOf } from "./raid-array.ts";

/** Makes a device of at least `size` bytes. Called again over what is left, in the same order. */
export type Make = (bench: TestBench, size: number) => Promise<Layer>;

/** One kind of layer. */
export interface Kind {
  readonly name: string;
  /** What it offers over lowers that offer this. */
  readonly support: (lower: Support) => Support;
  readonly over: (below: Make) => Make;
}

const KIB = 1024;

/** The disks of the suite. */
export const disk: Make = async (bench, size) => bench.lower({ size: roundUp(size, 4096) });
export const diskSupport: Support = FULL_SUPPORT;

export const raid5: Kind = {
  name: "raid5",
  // Zeroes keep the parity right; what a discard leaves is each member's own affair, so it goes down as zeroes.
  support: (lower) => {
    const zeroes = lower.writeZeroes === "native" ? "native" : "none";
    return { ...lower, discard: zeroes, writeZeroes: zeroes };
  },
  over: (below) => async (bench, size) => {
    const chunkCount = Math.ceil(size / ((MEMBER_COUNT - 1) * CHUNK_SIZE));
    const memberSize = DATA_START + chunkCount * CHUNK_SIZE;
    const lowers: { name: string; layer: Layer }[] = [];
    try {
      for (let index = 0; index < MEMBER_COUNT; index++) {
        const layer = await opened(await below(bench, memberSize));
        lowers.push({ name: `disk${index}`, layer });
        if (!bench.isFirst) continue;
        // An array is clean when its parity is right: all zeroes, which a layer below need not show by itself.
        await writeBytes(layer, bench.environment, 0, new Uint8Array(memberSize));
        await writeBytes(layer, bench.environment, 4096, superblockOf(index, chunkCount), true);
      }
      const [array] = await raidDriver.open({
        ...{ environment: bench.environment, options: {}, lowers, keySource: { keys: [] }, directory: "." },
        ...{ isReadOnly: false, canWriteDegraded: true, report: () => undefined },
      });
      // What the array goes without is closed by nobody else.
      for (const { layer } of lowers)
        if (!array!.layer.lowers.includes(layer)) await closeTree(layer.lowers[0]!);
      return checked(bench, array!.layer);
    } catch (error) {
      for (const { layer } of lowers) await closeTree(layer.lowers[0]!);
      throw error;
    }
  },
};

function crypt(sectorSize: number): Kind {
  return {
    name: `crypt with sectors of ${sectorSize}`,
    support: (lower) => ({ ...lower, discard: "none", writeZeroes: "none" }),
    over: (below) => async (bench, size) => {
      const offset = 8 * KIB;
      const lower = await below(bench, roundUp(size, 4096) + offset);
      const volumeKey = Uint8Array.from({ length: 64 }, (_, index) => index * 3);
      const segment = { offset, size: null, ivTweak: 0, encryption: "aes-xts-plain64", sectorSize };
      return checked(bench, new CryptLayer(lower, { environment: bench.environment, segment, volumeKey }));
    },
  };
}

export const crypt512: Kind = crypt(512);
export const crypt4096: Kind = crypt(4096);

/** A volume in three extents of 12 KiB and more on two physical volumes, out of order. */
export const linear: Kind = {
  name: "lvm, linear over two",
  support: (lower) => lower,
  over: (below) => async (bench, size) => {
    const half = roundUp(size / 3, 4096);
    const start = 12 * KIB;
    const [a, b] = await two(below, bench, start + 2 * half);
    const at = (lower: Layer, place: number) => [{ lower, start: place }];
    return volume(bench, [
      { start: 0, length: half, areas: at(a, start + half), stripeSize: 0 },
      { start: half, length: half, areas: at(b, start), stripeSize: 0 },
      { start: 2 * half, length: half, areas: at(a, start), stripeSize: 0 },
    ]);
  },
};

export const striped: Kind = {
  name: "lvm, striped over two",
  support: (lower) => lower,
  over: (below) => async (bench, size) => {
    const part = roundUp(size / 2, 8192);
    const [a, b] = await two(below, bench, part + 4096);
    const areas = [a, b].map((lower) => ({ lower, start: 4096 }));
    return volume(bench, [{ start: 0, length: 2 * part, areas, stripeSize: 8192 }]);
  },
};

export const window: Kind = {
  name: "a partition",
  support: (lower) => lower,
  over: (below) => async (bench, size) => {
    const length = roundUp(size, 4096);
    const lower = await below(bench, length + 8192);
    return checked(bench, new WindowLayer(lower, "window", { start: 4096, length }));
  },
};

/** All that a `Device` puts on top: emulation, splitting to limits, blocks of any size. */
export const adapters: Kind = {
  name: "the adapters of a Device",
  support: emulated,
  over: (below) => async (bench, size) => adapt(await below(bench, size), bench.environment, 1),
};

export const emulation: Kind = {
  name: "emulation",
  support: emulated,
  over: (below) => async (bench, size) => checked(bench, new EmulationLayer(await below(bench, size))),
};

export const split: Kind = {
  name: "splits to 8 KiB",
  support: (lower) => lower,
  over: (below) => async (bench, size) => {
    const lower = new ShortLayer(await below(bench, size));
    return checked(bench, new SplitLayer(checked(bench, lower)));
  },
};

export const asynchronous: Kind = {
  name: "an async layer that inverts every byte",
  support: (lower) => ({ ...lower, discard: "none", writeZeroes: "none" }),
  over: (below) => async (bench, size) => checked(bench, new InvertLayer(await below(bench, size))),
};

export const KINDS: readonly Kind[] = [raid5, crypt512, crypt4096, linear, striped, window, asynchronous];

function emulated(lower: Support): Support {
  const canWrite = lower.write !== "none";
  return {
    ...lower,
    fua: lower.fua === "none" && lower.flush !== "none" && canWrite ? "emulated" : lower.fua,
    writeZeroes: lower.writeZeroes === "none" && canWrite ? "emulated" : lower.writeZeroes,
  };
}

function volume(bench: TestBench, segments: MappedSegment[]): Layer {
  const layer = new VolumeLayer({
    ...{ name: "vg/volume", segments: new SegmentMap(segments), isReadOnly: false },
    ...{ claimant: { name: "vg" }, description: { options: {}, lowers: [] } },
  });
  return checked(bench, layer);
}

async function two(below: Make, bench: TestBench, size: number): Promise<[Layer, Layer]> {
  const first = await below(bench, size);
  return [first, await below(bench, size)];
}

/** Between any two layers stands one that checks the contract, at the end of the test. */
export function checked(bench: TestBench, layer: Layer): Layer {
  const checking = new CheckingLayer(layer);
  bench.onEnd(() => checking.check());
  return checking;
}

/** Opens a layer that is to be read before it has an upper, and closes it together with that. */
async function opened(layer: Layer): Promise<Layer> {
  await openTree(layer);
  return new OpenedLayer(layer);
}

class OpenedLayer extends NoOpLayer {
  override async close(): Promise<void> {
    await super.close();
    await closeTree(this.lowers[0]!);
  }
}

/** Takes only short requests. */
class ShortLayer extends NoOpLayer {
  override readonly limits: Limits;

  constructor(lower: Layer) {
    super(lower);
    this.limits = { ...lower.limits, ioLengthMax: Math.max(8192, lower.limits.logicalBlockSize) };
  }
}

/** A layer as a third party may write it: it inverts every byte, with plain async methods. */
class InvertLayer extends AsyncLayer {
  readonly name = "invert";
  readonly limits: Limits;
  readonly support: Support;

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = { ...lower.support, discard: "none", writeZeroes: "none" };
  }

  override async read(io: Io, next: Next): Promise<void> {
    try {
      await next(io);
    } finally {
      // Where it failed, what came before counts as read.
      invert(io.data, io.dataOffset, io.data, io.dataOffset, io.transferred);
    }
  }

  override async write(io: Io, next: Next): Promise<void> {
    const { data, dataOffset, length } = io;
    const inverted = new Uint8Array(length);
    invert(data, dataOffset, inverted, 0, length);
    io.data = inverted;
    io.dataOffset = 0;
    try {
      await next(io);
    } finally {
      io.data = data;
      io.dataOffset = dataOffset;
    }
  }

  override async flush(io: Io, next: Next): Promise<void> {
    await next(io);
  }

  describe(): LayerDescription {
    return { driver: "invert", options: {}, lowers: this.lowers.map((lower) => lower.describe()) };
  }
}

function invert(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  for (let index = 0; index < length; index++) to[toAt + index] = ~from[fromAt + index]!;
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
