import { Io, openTree } from "@cev/core";
import type { Environment, Layer, Op } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { createArray, raidDriver } from "@cev/raid";

/** An array for a measurement. Sizes in bytes. */
export interface ArrayShape {
  readonly level: number;
  readonly layout?: number;
  readonly chunkSize?: number;
  readonly memberCount: number;
  readonly memberSize: number;
  /** Members that are taken away before it is opened. */
  readonly missing?: readonly number[];
}

/** A new array over ramdisks, open for writing. */
export async function ramdiskArray(environment: Environment, shape: ArrayShape): Promise<Layer> {
  const { memberCount, memberSize, missing = [], level, layout, chunkSize } = shape;
  const members = Array.from({ length: memberCount }, (_, index) => ({
    name: `ram${index}`,
    layer: new RamdiskLayer(environment, { size: memberSize }),
  }));
  for (const { layer } of members) await openTree(layer);
  await createArray({
    environment,
    level,
    members,
    assumeClean: true,
    ...(layout === undefined ? {} : { layout }),
    ...(chunkSize === undefined ? {} : { chunkSize }),
  });
  const [opened] = await raidDriver.open({
    environment,
    options: {},
    lowers: members.filter((_, index) => !missing.includes(index)),
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  });
  await openTree(opened!.layer);
  return opened!.layer;
}

/** What is asked of a layer. */
export interface Load {
  readonly op: Op;
  /** Bytes of each request. */
  readonly length: number;
  /** Requests under way at once. */
  readonly depth: number;
  readonly isRandom: boolean;
  /** How many requests in all. */
  readonly count: number;
}

/** What a layer did, in one second. */
export interface Throughput {
  readonly requests: number;
  readonly megabytes: number;
}

/** Runs a load once, and gives what the layer did per second. */
export async function throughput(layer: Layer, environment: Environment, load: Load): Promise<Throughput> {
  const { op, length, depth, isRandom, count } = load;
  const places = Math.floor(layer.limits.size / length);
  const data = new Uint8Array(length * depth);
  let left = count;
  let next = 0;
  let seed = 1;
  const began = performance.now();
  await new Promise<void>((resolve, reject) => {
    let active = depth;
    const again = (io: Io, slot: number): void => {
      if (io.error !== null) reject(io.error);
      if (left-- <= 0) {
        if (--active === 0) resolve();
        return;
      }
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      const place = isRandom ? seed % places : next++ % places;
      io.prepare(op, place * length, length, data, slot * length);
      io.setOwner(again, slot);
      layer.submit(io);
    };
    for (let slot = 0; slot < depth; slot++) again(new Io(environment.runQueue), slot);
  });
  const seconds = (performance.now() - began) / 1000;
  return { requests: count / seconds, megabytes: (count * length) / seconds / 1e6 };
}
