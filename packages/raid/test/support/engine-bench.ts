import { EventState, Io, environmentFrom } from "@cev/core";
import type { BufferPool, Environment, Op, Support } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import type { CompletionMode } from "@cev/test-kit";
import type { MetadataKeeper } from "../../src/array/metadata-keeper.ts";
import type { Personality } from "../../src/array/personality.ts";
import { RunningArray } from "../../src/array/running-array.ts";
import type { ByteRange } from "../../src/array/unsynced-ranges.ts";
import type { Geometry, LevelFamily } from "../../src/levels/level.ts";
import { levelOf } from "../../src/levels/levels.ts";
import { MirrorEngine } from "../../src/mirror/mirror-engine.ts";
import { ParityEngine } from "../../src/parity/parity-engine.ts";
import { ZoneEngine } from "../../src/zones/zone-engine.ts";
import { makeSuperblock } from "./make-array.ts";

/** Where the members' data begins. */
export const ENGINE_DATA_START = 8192;

const ENGINES: Readonly<Record<LevelFamily, new (array: RunningArray) => Personality>> = {
  zones: ZoneEngine,
  mirror: MirrorEngine,
  parity: ParityEngine,
};

export interface EngineBenchOptions {
  readonly level: number;
  readonly layout?: number;
  readonly chunkSize?: number;
  /** Bytes that each member gives. */
  readonly memberSizes: readonly number[];
  readonly missing?: readonly number[];
  /** By member index: how far one has been rebuilt. */
  readonly recoveredTo?: readonly (number | null)[];
  readonly badBlocks?: readonly (readonly ByteRange[])[];
  readonly deviceFlags?: readonly number[];
  readonly unsynced?: readonly ByteRange[];
  readonly completion?: CompletionMode;
  readonly seed?: number;
  readonly support?: Partial<Support>;
  readonly isReadOnly?: boolean;
  /** The memory of the engine. */
  readonly buffers?: BufferPool;
  /** What is on the members' data at first. */
  readonly contents?: (member: number) => Uint8Array;
}

/** An engine alone over disks in memory: without superblocks, with a keeper that only counts. */
export class EngineBench {
  readonly environment: Environment;
  readonly disks: readonly MemoryLayer[];
  readonly faults: readonly FaultLayer[];
  readonly array: RunningArray;
  readonly engine: Personality;
  readonly geometry: Geometry;
  /** Writes that the keeper was told of. */
  readonly keeper: CountingKeeper = new CountingKeeper();

  constructor(options: EngineBenchOptions) {
    const { memberSizes, missing = [], completion = "atOnce", seed = 1 } = options;
    this.environment = environmentFrom(
      globalThis,
      options.buffers === undefined ? {} : { buffers: options.buffers },
    );
    this.disks = memberSizes.map((size, index) => {
      const disk = new MemoryLayer(this.environment, {
        size: ENGINE_DATA_START + size,
        completion,
        seed: seed + index,
        ...(options.support === undefined ? {} : { support: options.support }),
      });
      const contents = options.contents?.(index);
      if (contents !== undefined) disk.bytes.set(contents, ENGINE_DATA_START);
      return disk;
    });
    this.faults = this.disks.map((disk) => new FaultLayer(disk, this.environment));
    const level = levelOf(options.level)!;
    this.geometry = {
      level: options.level,
      layout: options.layout ?? 0,
      chunkSize: options.chunkSize ?? 0,
      memberCount: memberSizes.length,
      memberSizes,
    };
    const devices = this.faults.map((layer, index) =>
      missing.includes(index)
        ? null
        : {
            name: `disk${index}`,
            layer,
            superblock: {
              ...makeSuperblock(index),
              dataOffsetSectors: ENGINE_DATA_START / 512,
              deviceFlags: options.deviceFlags?.[index] ?? 0,
            },
            badBlocks: options.badBlocks?.[index] ?? [],
          },
    );
    this.array = new RunningArray({
      name: level.name,
      environment: this.environment,
      level,
      geometry: this.geometry,
      devices,
      recoveredTo: options.recoveredTo ?? [],
      unsynced: options.unsynced ?? [],
    });
    if (options.isReadOnly !== true) this.array.keeper = this.keeper as unknown as MetadataKeeper;
    this.engine = new ENGINES[level.family](this.array);
  }

  /** A request, submitted. */
  submit(op: Op, offset: number, length: number, data: Uint8Array | null = null, flags = 0): Io {
    const io = new Io(this.environment.runQueue).prepare(op, offset, length, data, 0, flags);
    this.engine.submit(io);
    return io;
  }

  /** A request, done; its error is in it. */
  async run(op: Op, offset: number, length: number, data: Uint8Array | null = null, flags = 0): Promise<Io> {
    const io = this.submit(op, offset, length, data, flags);
    await ended(io);
    return io;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const data = new Uint8Array(length);
    const io = await this.run(0, offset, length, data);
    if (io.error !== null) throw io.error;
    return data;
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    const io = await this.run(1, offset, data.length, data);
    if (io.error !== null) throw io.error;
  }

  /** A discard or write-zeroes. */
  async zero(op: Op, offset: number, length: number, flags = 0): Promise<void> {
    const io = await this.run(op, offset, length, null, flags);
    if (io.error !== null) throw io.error;
  }

  /** What a member's data holds now. */
  dataOf(member: number): Uint8Array {
    return this.disks[member]!.bytes.subarray(ENGINE_DATA_START);
  }

  /** How many requests of a kind reached each member. */
  countsOf(op: Op): number[] {
    return this.disks.map((disk) => disk.log.filter((entry) => entry.op === op).length);
  }

  forget(): void {
    for (const disk of this.disks) disk.log.length = 0;
  }
}

/** Waits until a request has ended, whatever its outcome. */
export function ended(io: Io): Promise<void> {
  if (io.state === EventState.done) return Promise.resolve();
  return new Promise((resolve) => io.wait(() => resolve(), null));
}

/** Stands for the keeper of the metadata: everything is ready at once, or when the test says so. */
export class CountingKeeper {
  startedCount = 0;
  endedCount = 0;
  /** Writes after which the copies may differ. */
  incompleteCount = 0;
  failures: string[] = [];
  isUpdating = false;
  /** Called back when the test settles. */
  readonly settlers: (() => void)[] = [];

  tryStartWrite(): boolean {
    this.startedCount++;
    return true;
  }

  endWrite(_start: number, _end: number, isComplete: boolean): void {
    this.endedCount++;
    if (!isComplete) this.incompleteCount++;
  }

  memberFailed(member: { readonly name: string }): void {
    this.failures.push(member.name);
  }

  whenSettled<C>(run: (error: null, context: C) => void, context: C): void {
    this.settlers.push(() => run(null, context));
  }

  settle(): void {
    this.isUpdating = false;
    for (const settler of this.settlers.splice(0)) settler();
  }
}
