import { Device, LayerBase, Op } from "@cev/core";
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
    return this.versions.findIndex((versions, block) => {
      const found = contents.subarray(block * BLOCK, (block + 1) * BLOCK);
      const seen = versions
        .slice(this.floors[block])
        .find((version) => Buffer.compare(contentOf(version, block), found) === 0);
      if (seen === undefined) return true;
      this.versions[block] = [seen];
      this.floors[block] = 0;
      return false;
    });
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

  constructor(disk: PowerCutLayer, tell: () => void) {
    super([disk]);
    this.limits = disk.limits;
    this.support = disk.support;
    this.#disk = disk;
    this.#tell = tell;
  }

  submit(io: Io): void {
    if (io.op !== Op.read) {
      io.pushAction(this.#tell, null);
      this.#tell();
    }
    this.#disk.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#disk.describe()] };
  }
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
  const lower = new TellingLayer(disk, () => {
    for (let count = 0; count < options.imagesEach; count++) {
      const cutSeed = random.next();
      moments.push({
        image: disk.imageAfterCut(new Random(cutSeed)),
        history: history.copy(),
        seed: cutSeed,
      });
    }
  });
  const found = await findSuperblock(lower, environment);
  if (typeof found === "string") throw new Error(`the superblock is gone: ${found}`);
  const { superblock } = found;
  const layer = new CompressLayer(lower, { superblock, environment });
  const device = await Device.open(layer, environment, { blockSize: BLOCK });
  const wrong = history.settle(await device.read(0, device.size));
  if (wrong >= 0) throw new Error(`block ${wrong} is neither what was durable nor anything written since`);
  for (let count = 0; count < requestCount; count++)
    await step(device, history, random, superblock.chunkSize);
  await device.close();
  return moments;
}

async function step(device: Device, history: History, random: Random, chunkSize: number): Promise<void> {
  const blocks = device.size / BLOCK;
  const count = random.between(1, Math.min(blocks, 20));
  const offset = random.between(0, blocks - count) * BLOCK;
  const length = count * BLOCK;
  const kind = random.below(10);
  if (kind < 2) {
    const latest = history.latest();
    await device.flush();
    history.keep(latest);
  } else if (kind < 3) {
    history.begin(offset, length, true);
    await device.writeZeroes(offset, length);
  } else if (kind < 4) {
    const start = Math.floor(offset / chunkSize) * chunkSize;
    history.begin(start, chunkSize, true);
    await device.discard(start, chunkSize);
  } else if (kind < 6) {
    await device.write(offset, history.begin(offset, length, false), { fua: true });
    history.keepRange(offset, length);
  } else {
    const write = device.write(offset, history.begin(offset, length, false));
    // A flush covers what had completed when it began.
    const other = random.chance(0.3) ? device.flush() : null;
    await write;
    await other;
  }
}
