import { Device, Io, environmentFrom } from "@cev/core";
import type { Environment, Op } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import type { CompletionMode } from "@cev/test-kit";
import { RAID5_LAYOUTS } from "../../src/levels/raid5.ts";
import type { RaidLayer, RaidOptions } from "../../src/index.ts";
import { StripeMap } from "../../src/levels/stripe.ts";
import { DATA_START, makeImages } from "./make-array.ts";
import type { ArrayShape } from "./make-array.ts";
import { openArray } from "./open-array.ts";
import type { OpenArray } from "./open-array.ts";

/** Settings of an `ArrayBench`. */
export interface ArrayBenchOptions {
  readonly shape?: ArrayShape;
  /** Members that are not there. */
  readonly missing?: readonly number[];
  readonly completion?: CompletionMode;
  readonly seed?: number;
  readonly options?: RaidOptions;
  readonly isReadOnly?: boolean;
  /** What is on the disks; by default a new array that holds zeroes. */
  readonly images?: readonly Uint8Array[];
  /** Called before the array is opened. */
  readonly onDisks?: (rig: {
    readonly disks: readonly MemoryLayer[];
    readonly faults: readonly FaultLayer[];
  }) => void;
}

/** An array over disks in memory that can be made to fail and that log what reaches them. */
export class ArrayBench {
  readonly environment: Environment;
  readonly disks: readonly MemoryLayer[];
  readonly faults: readonly FaultLayer[];
  readonly map: StripeMap;
  #array: OpenArray;

  private constructor(
    environment: Environment,
    disks: readonly MemoryLayer[],
    faults: readonly FaultLayer[],
    map: StripeMap,
    array: OpenArray,
  ) {
    this.environment = environment;
    this.disks = disks;
    this.faults = faults;
    this.map = map;
    this.#array = array;
  }

  static async open(how: ArrayBenchOptions = {}): Promise<ArrayBench> {
    const { shape = {}, completion = "atOnce", seed = 1, missing = [], options = {} } = how;
    const environment = environmentFrom(globalThis);
    const disks = (how.images ?? makeImages(shape)).map(
      (contents, index) =>
        new MemoryLayer(environment, { size: contents.length, contents, completion, seed: seed + index }),
    );
    const faults = disks.map((disk) => new FaultLayer(disk, environment));
    const map = new StripeMap({
      layout: RAID5_LAYOUTS[shape.layout ?? 2]!,
      chunkSize: shape.chunkSize ?? 4096,
      memberCount: shape.memberCount ?? 4,
    });
    how.onDisks?.({ disks, faults });
    const present = faults.filter((_, index) => !missing.includes(index));
    const array = await openArray(present, {
      environment,
      options,
      isReadOnly: how.isReadOnly ?? false,
      canWriteDegraded: true,
    });
    return new ArrayBench(environment, disks, faults, map, array);
  }

  get device(): Device {
    return this.#array.device;
  }

  get layer(): RaidLayer {
    return this.#array.layer;
  }

  get array(): OpenArray {
    return this.#array;
  }

  /** Opens the same layer again after it was closed. */
  async reopen(): Promise<void> {
    this.#array = { ...this.#array, device: await Device.open(this.layer, this.environment) };
  }

  /** What is on the disks now. */
  get images(): Uint8Array[] {
    return this.disks.map((disk) => disk.bytes.slice());
  }

  /** Empties the logs. */
  forget(): void {
    for (const disk of this.disks) disk.log.length = 0;
  }

  /** How many requests of a kind reached the data of the members since `forget`. */
  countOf(op: Op): number {
    return this.disks.reduce(
      (count, disk) =>
        count + disk.log.filter((entry) => entry.op === op && entry.offset >= DATA_START).length,
      0,
    );
  }

  /** An `Io` for the layer itself. */
  io(op: Op, offset: number, length: number, data: Uint8Array | null = null, flags = 0): Io {
    return new Io(this.environment.runQueue).prepare(op, offset, length, data, 0, flags);
  }
}

/** The stripes whose parity is not right, by the images of all members. */
export function wrongStripes(images: readonly Uint8Array[], shape: ArrayShape = {}): number[] {
  const { chunkSize = 4096, chunkCount = 8 } = shape;
  const wrong: number[] = [];
  for (let stripe = 0; stripe < chunkCount; stripe++) {
    for (let row = 0; row < chunkSize; row++) {
      let sum = 0;
      for (const image of images) sum ^= image[DATA_START + stripe * chunkSize + row]!;
      if (sum === 0) continue;
      wrong.push(stripe);
      break;
    }
  }
  return wrong;
}
