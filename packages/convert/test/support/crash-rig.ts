import { Device, LayerBase, Op, ioError, isCevError } from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Support } from "@cev/core";
import { PowerCutLayer, Random } from "@cev/test-kit";
import { CompressLayer, findSuperblock } from "../../src/index.ts";

const BLOCK = 512;

/** What each block of the device may hold: what was durable last, or anything since. */
export class History {
  /** Versions of each block, in the order in which they were written. */
  readonly versions: number[][];
  /** The first of them that may still be seen. */
  readonly floors: number[];
  #next = 1;

  constructor(size: number) {
    this.versions = Array.from({ length: size / BLOCK }, () => [0]);
    this.floors = this.versions.map(() => 0);
  }

  copy(): History {
    const copy = new History(this.versions.length * BLOCK);
    this.versions.forEach((versions, block) => (copy.versions[block] = [...versions]));
    this.floors.forEach((floor, block) => (copy.floors[block] = floor));
    copy.#next = this.#next;
    return copy;
  }

  /** Begins a write: from now on its blocks may be seen. Returns the data. */
  begin(offset: number, length: number, isZero: boolean): Uint8Array {
    const version = isZero ? 0 : this.#next++;
    const data = new Uint8Array(length);
    for (let at = 0; at < length; at += BLOCK) {
      const block = (offset + at) / BLOCK;
      this.versions[block]!.push(version);
      data.set(contentOf(version, block), at);
    }
    return data;
  }

  /** What a flush that begins now makes durable. */
  latest(): number[] {
    return this.versions.map((versions) => versions.length - 1);
  }

  /** Everything up to these is durable. */
  keep(latest: readonly number[]): void {
    latest.forEach((index, block) => (this.floors[block] = Math.max(this.floors[block]!, index)));
  }

  keepRange(offset: number, length: number): void {
    for (let block = offset / BLOCK; block < (offset + length) / BLOCK; block++)
      this.floors[block] = this.versions[block]!.length - 1;
  }

  /** The first block that holds what it may not; -1: none. What was seen is what counts from now on. */
  settle(contents: Uint8Array): number {
    return this.versions.findIndex((_, block) => {
      const seen = this.#seen(block, contents, block * BLOCK);
      if (seen === undefined) return true;
      this.versions[block] = [seen];
      this.floors[block] = 0;
      return false;
    });
  }

  /** After a change that failed: what is read now is the latest. Returns as `settle`. */
  observe(offset: number, contents: Uint8Array): number {
    for (let at = 0; at < contents.length; at += BLOCK) {
      const block = (offset + at) / BLOCK;
      const seen = this.#seen(block, contents, at);
      if (seen === undefined) return block;
      this.versions[block]!.push(seen);
    }
    return -1;
  }

  #seen(block: number, contents: Uint8Array, at: number): number | undefined {
    const found = contents.subarray(at, at + BLOCK);
    return this.versions[block]!.slice(this.floors[block]).find(
      (version) => Buffer.compare(contentOf(version, block), found) === 0,
    );
  }
}

/** Half of the versions can be compressed. */
function contentOf(version: number, block: number): Uint8Array {
  if (version === 0) return new Uint8Array(BLOCK);
  const content =
    version % 2 === 0 ? new Random(version * 65_537 + block).bytes(BLOCK) : new Uint8Array(BLOCK);
  new DataView(content.buffer).setUint32(0, version, true);
  return content.fill(version % 251, BLOCK - 40);
}

/** What a disk may hold after a power cut, and what is to be found on it. */
export interface Moment {
  readonly image: Uint8Array;
  readonly history: History;
  readonly seed: number;
}

/** Before each change, tells the rig. */
class TellingLayer extends LayerBase {
  readonly name = "telling";
  readonly limits: Limits;
  readonly support: Support;
  readonly #disk: PowerCutLayer;
  readonly #tell: () => void;
  readonly #fails: () => boolean;

  constructor(disk: PowerCutLayer, tell: () => void, fails: () => boolean) {
    super([disk]);
    this.limits = disk.limits;
    this.support = disk.support;
    this.#disk = disk;
    this.#tell = tell;
    this.#fails = fails;
  }

  submit(io: Io): void {
    if (io.op !== Op.read) {
      io.pushAction(this.#tell, null);
      this.#tell();
      if (this.#fails()) return io.fail("CEV_IO", "it was not done", this.name);
      if (this.#fails()) io.pushAction(failDone, this);
    }
    this.#disk.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#disk.describe()] };
  }
}

/** It was done, and nobody is told so. */
function failDone(io: Io, layer: TellingLayer): void {
  io.error ??= ioError(io, "CEV_IO", "it was done", layer.name);
  io.transferred = 0;
}

/** Settings of a run. */
export interface RunOptions {
  readonly image: Uint8Array;
  readonly history: History;
  readonly seed: number;
  readonly requestCount: number;
  readonly support?: Partial<Support>;
  /** Images of each moment. */
  readonly imagesEach: number;
  /** Of each request below that changes something. Default 0. */
  readonly faultChance?: number;
}

/** Opens the image, checks what it holds, and works on it. Returns every moment at which the power may have gone. */
export async function work(environment: Environment, options: RunOptions): Promise<Moment[]> {
  const { image, history, seed, requestCount } = options;
  const random = new Random(seed);
  const moments: Moment[] = [];
  const disk = new PowerCutLayer(environment, {
    size: image.length,
    contents: image,
    completion: "later",
    support: options.support ?? {},
  });
  let isFaulty = false;
  const fails = (): boolean => isFaulty && random.chance(options.faultChance ?? 0);
  const tell = (): void => {
    for (let count = 0; count < options.imagesEach; count++) {
      const cutSeed = random.next();
      moments.push({
        image: disk.imageAfterCut(new Random(cutSeed)),
        history: history.copy(),
        seed: cutSeed,
      });
    }
  };
  const lower = new TellingLayer(disk, tell, fails);
  const found = await findSuperblock(lower, environment);
  if (typeof found === "string") throw new Error(`the superblock is gone: ${found}`);
  const { superblock } = found;
  const layer = new CompressLayer(lower, { superblock, environment, discards: true });
  const device = await Device.open(layer, environment, { blockSize: BLOCK });
  const wrong = history.settle(await device.read(0, device.size));
  if (wrong >= 0) throw new Error(`block ${wrong} is neither what was durable nor anything written since`);
  isFaulty = (options.faultChance ?? 0) > 0;
  const isDone: IsDone = async (request) => {
    try {
      await request;
      return true;
    } catch (error) {
      if (!isFaulty || !isCevError(error) || error.code !== "CEV_IO") throw error;
      return false;
    }
  };
  for (let count = 0; count < requestCount; count++)
    await step(device, history, random, { chunkSize: superblock.chunkSize, isDone });
  await isDone(device.close());
  return moments;
}

/** False: it failed, because something below was made to. */
type IsDone = (request: Promise<void>) => Promise<boolean>;

async function step(
  device: Device,
  history: History,
  random: Random,
  { chunkSize, isDone }: { readonly chunkSize: number; readonly isDone: IsDone },
): Promise<void> {
  const blocks = device.size / BLOCK;
  const count = random.between(1, Math.min(blocks, 20));
  const offset = random.between(0, blocks - count) * BLOCK;
  const length = count * BLOCK;
  const changed = async (start: number, changedLength: number, request: Promise<void>): Promise<boolean> => {
    if (await isDone(request)) return true;
    const wrong = history.observe(start, await device.read(start, changedLength));
    if (wrong >= 0) throw new Error(`block ${wrong} is neither old nor new after a write that failed`);
    return false;
  };
  const kind = random.below(10);
  if (kind < 2) {
    const latest = history.latest();
    if (await isDone(device.flush())) history.keep(latest);
  } else if (kind < 3) {
    history.begin(offset, length, true);
    await changed(offset, length, device.writeZeroes(offset, length));
  } else if (kind < 4) {
    const start = Math.floor(offset / chunkSize) * chunkSize;
    history.begin(start, chunkSize, true);
    await changed(start, chunkSize, device.discard(start, chunkSize));
  } else if (kind < 6) {
    const data = history.begin(offset, length, false);
    if (await changed(offset, length, device.write(offset, data, { fua: true })))
      history.keepRange(offset, length);
  } else {
    const data = history.begin(offset, length, false);
    const write = changed(offset, length, device.write(offset, data));
    // A flush covers what had completed when it began.
    const other = random.chance(0.3) ? isDone(device.flush()) : null;
    await write;
    await other;
  }
}
