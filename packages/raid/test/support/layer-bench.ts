import { Device, openTree, readBytes } from "@cev/core";
import type { Environment, Layer, Op, Problem } from "@cev/core";
import { FaultLayer, MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import type { SyncProgress } from "../../src/array/sync-work.ts";
import type { MemberDevice } from "../../src/array/member.ts";
import type { SpeedLimits } from "../../src/array/speed-limit.ts";
import { createArray } from "../../src/metadata/create-array.ts";
import type { CreateArrayOptions } from "../../src/metadata/create-array.ts";
import { readBadBlocks, readBitmap, readSuperblock } from "../../src/metadata/member-scan.ts";
import { FeatureFlag } from "../../src/metadata/superblock-features.ts";
import { Role, ownRole } from "../../src/metadata/superblock.ts";
import type { Superblock } from "../../src/metadata/superblock.ts";
import { RaidLayer } from "../../src/raid-layer.ts";

const SECTOR = 512;

/** What a `LayerBench` is made of. */
export interface LayerBenchOptions {
  /** How the array is made, apart from its members. */
  readonly create: Omit<CreateArrayOptions, "environment" | "members" | "spares" | "force">;
  readonly memberCount: number;
  readonly spareCount?: number;
  /** Bytes of each device. */
  readonly deviceSize?: number;
  readonly seed?: number;
}

/** How the array is opened. */
export interface LayerOpenOptions {
  /** Devices that are not there, by their number. */
  readonly missing?: readonly number[];
  readonly speedLimit?: SpeedLimits;
  /** The device whose copy of the bitmap is taken; by default that of the newest. */
  readonly bitmapOf?: number;
}

/** A device of a bench: a disk in memory that can be made to fail. */
export interface BenchDisk {
  readonly name: string;
  readonly disk: MemoryLayer;
  readonly fault: FaultLayer;
}

/** An array of any level over disks in memory, in a world whose time is simulated. */
export class LayerBench {
  readonly world: SimulatedWorld;
  readonly disks: BenchDisk[] = [];
  readonly problems: Problem[] = [];
  readonly progress: SyncProgress[] = [];
  #layer: RaidLayer | null = null;
  #device: Device | null = null;
  readonly #deviceSize: number;

  private constructor(options: LayerBenchOptions) {
    this.world = new SimulatedWorld({ seed: options.seed ?? 1 });
    this.#deviceSize = options.deviceSize ?? 4 * 1024 * 1024;
  }

  static async create(options: LayerBenchOptions): Promise<LayerBench> {
    const bench = new LayerBench(options);
    const { memberCount, spareCount = 0 } = options;
    const disks = Array.from({ length: memberCount + spareCount }, () => bench.addDisk());
    const named = disks.map(({ name, fault }) => ({ name, layer: fault }));
    for (const { fault } of disks) await bench.drive(openTree(fault));
    await bench.drive(
      createArray({
        ...options.create,
        environment: bench.environment,
        members: named.slice(0, memberCount),
        spares: named.slice(memberCount),
      }),
    );
    return bench;
  }

  get environment(): Environment {
    return this.world.environment;
  }

  get layer(): RaidLayer {
    return this.#layer!;
  }

  get device(): Device {
    return this.#device!;
  }

  /** One disk more, which is part of nothing. */
  addDisk(size: number = this.#deviceSize): BenchDisk {
    const disk = new MemoryLayer(this.environment, { size, completion: "later" });
    const one = { name: `d${this.disks.length}`, disk, fault: new FaultLayer(disk, this.environment) };
    this.disks.push(one);
    return one;
  }

  drive<T>(promise: Promise<T>): Promise<T> {
    return this.world.drive(promise);
  }

  /** Opens the array with the disks that fit together: those of the newest event count, or one before it. */
  async open(how: LayerOpenOptions = {}): Promise<RaidLayer> {
    const found: MemberDevice[] = [];
    for (const [number, { name, fault }] of this.disks.entries()) {
      if (how.missing?.includes(number) === true) continue;
      const superblock = await this.superblockOf(number);
      if (superblock === null) continue;
      const badBlocks = await this.drive(readBadBlocks(this.#target(name, fault), superblock));
      found.push({ name, layer: fault, superblock, badBlocks });
    }
    const newest = found.reduce((a, b) => (b.superblock.eventCount > a.superblock.eventCount ? b : a));
    const { superblock } = newest;
    const current = found.filter((one) => one.superblock.eventCount + 1n >= superblock.eventCount);
    const devices = Array.from(
      { length: superblock.memberCount },
      (_, role) =>
        current.find(
          (one) => ownRole(one.superblock) === role && superblock.roles[one.superblock.deviceNumber] === role,
        ) ?? null,
    );
    const bitmapFrom = how.bitmapOf === undefined ? newest : found[how.bitmapOf]!;
    const isRebuilding = (one: MemberDevice | null): one is MemberDevice =>
      one !== null && (one.superblock.features & FeatureFlag.recovery) !== 0;
    const layer = new RaidLayer({
      environment: this.environment,
      devices,
      recoveredTo: devices.map((one) => (isRebuilding(one) ? one.superblock.recoverySectors * SECTOR : null)),
      byBitmap: devices.map(
        (one) => isRebuilding(one) && (one.superblock.features & FeatureFlag.recoveryBitmap) !== 0,
      ),
      spares: found.filter((one) => ownRole(one.superblock) === Role.spare && !devices.includes(one)),
      superblock,
      bitmap: await this.drive(readBitmap(this.#target(bitmapFrom.name, bitmapFrom.layer), superblock)),
      isReadOnly: false,
      isForced: false,
      ...(how.speedLimit === undefined ? {} : { speedLimit: how.speedLimit }),
      report: (problem) => this.problems.push(problem),
      onProgress: (progress) => this.progress.push(progress),
    });
    this.#device = await this.drive(Device.open(layer, this.environment));
    this.#layer = layer;
    return layer;
  }

  async close(): Promise<void> {
    await this.drive(this.device.close());
  }

  /** Waits until nothing goes on in the background. */
  idle(): Promise<void> {
    return this.drive(this.layer.idle());
  }

  read(offset = 0, length: number = this.device.size): Promise<Uint8Array> {
    return this.drive(this.device.read(offset, length));
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.drive(this.device.write(offset, data));
  }

  /** Lets so many milliseconds pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.drive(
      new Promise<void>((resolve) => void this.environment.clock.after(milliseconds, resolve)),
    );
  }

  /** What the superblock of a device says, by its number. */
  async superblockOf(number: number): Promise<Superblock | null> {
    const { name, disk } = this.disks[number]!;
    return this.drive(readSuperblock(this.#target(name, disk)));
  }

  /** Which bits of a device's bitmap are set. */
  async bitsOf(number: number): Promise<number[]> {
    const superblock = (await this.superblockOf(number))!;
    const { name, disk } = this.disks[number]!;
    const bitmap = (await this.drive(readBitmap(this.#target(name, disk), superblock)))!;
    const bits: number[] = [];
    bitmap.bits.forEach((byte, at) => {
      for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) bits.push(at * 8 + bit);
    });
    return bits;
  }

  /** Empties the logs. */
  forget(): void {
    for (const { disk } of this.disks) disk.log.length = 0;
  }

  /** How many requests of a kind have reached the data of one device since `forget`. */
  async countOf(number: number, op: Op): Promise<number> {
    const dataStart = (await this.superblockOf(number))!.dataOffsetSectors * SECTOR;
    return this.disks[number]!.disk.log.filter((entry) => entry.op === op && entry.offset >= dataStart)
      .length;
  }

  #target(
    source: string,
    layer: Layer,
  ): { source: string; size: number; read: (o: number, l: number) => Promise<Uint8Array> } {
    return {
      source,
      size: layer.limits.size,
      read: (offset, length) => readBytes(layer, this.environment, offset, length),
    };
  }
}
