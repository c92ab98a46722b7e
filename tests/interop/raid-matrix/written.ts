import { Random } from "../src/random.ts";
import { isRedundant } from "./cases.ts";
import type { ArrayCase } from "./cases.ts";
import { sha256 } from "../matrix/hash.ts";
import { hashText } from "../matrix/hash.ts";
import { ImageLayer } from "./image-layer.ts";
import { chanceOf, openArray, raidLayerOf } from "./open-array.ts";
import type { OpenedArray } from "./open-array.ts";
import { workRandomly } from "./random-work.ts";
import { recipeOf } from "./recipe.ts";
import { failureOf } from "../matrix/failure-of.ts";
import type { Way } from "./verdict.ts";

const WRITES = 30;

/** An array that cev has written, for the kernel to judge. */
export interface WrittenArray {
  readonly way: Way;
  readonly array: ArrayCase;
  /** The set of the case: those that were not there for a part of the writes. */
  readonly missing: readonly number[];
  /** Those of them that are not up to date: for the kernel to take back. */
  readonly absent: readonly number[];
  /** By member index, also those that were not there. */
  readonly images: readonly Uint8Array[];
  /** The hash of what the array holds. */
  readonly sha256: string;
  /** What went wrong before the kernel got it. */
  readonly failures: readonly string[];
  /** What was done with it, in a few words. */
  readonly story: string;
}

/**
 * Writes at random to an array on these images, which are changed: with all members, while it is resynced or after;
 * perhaps it grows; then without those in `missing`, which fail at work or are not there when it is opened again; and perhaps
 * they come back to cev, and are rebuilt while more is written. How, chance decides. It is closed in the end.
 */
export async function writeArray(
  way: Way,
  array: ArrayCase,
  images: readonly Uint8Array[],
  missing: readonly number[],
  seed: number,
): Promise<WrittenArray> {
  const random = new Random(hashText(`${seed} ${way} ${array.id} ${missing.join(",")}`));
  const members = [...images];
  const work = new ArrayWork(array, members, random);
  const failures: string[] = [];
  let absent: readonly number[] = [];
  try {
    await work.begin([]);
    await work.write();
    if (way === "create" && recipeOf(array).firstSize !== null) await work.grow();
    if (missing.length > 0) {
      absent = missing;
      if (random.below(2) === 0) await work.fail(missing);
      else {
        await work.settle();
        await work.end();
        await work.begin(missing);
      }
      await work.write();
      if (random.below(2) === 0) {
        await work.end();
        await work.begin(missing);
        await work.takeBack(missing);
        absent = [];
      }
    } else if (random.below(2) === 0) {
      await work.settle();
    }
    await work.end();
  } catch (error) {
    failures.push(failureOf(error));
    await work.end().catch(() => undefined);
  }
  const { story, content } = work;
  return {
    way,
    array,
    missing,
    absent,
    images: members,
    sha256: sha256(content),
    failures,
    story: story.join(", "),
  };
}

/** An array that is opened, worked on, and closed, again and again; what it holds is compared at every step. */
class ArrayWork {
  content: Uint8Array = new Uint8Array();
  readonly story: string[] = [];
  readonly #array: ArrayCase;
  readonly #images: Uint8Array[];
  readonly #random: Random;
  #opened: OpenedArray | null = null;

  constructor(array: ArrayCase, images: Uint8Array[], random: Random) {
    this.#array = array;
    this.#images = images;
    this.#random = random;
  }

  async begin(missing: readonly number[]): Promise<void> {
    this.story.push(missing.length === 0 ? "opened" : `opened without ${missing.join(",")}`);
    this.#opened = await openArray(this.#images, missing, this.#random, { isReadOnly: false });
    const { device } = this.#opened;
    // What is new, of the array or at its end, is whatever the members held there.
    const known = this.content.length;
    if (known < device.size)
      this.content = Buffer.concat([this.content, await device.read(known, device.size - known)]);
    await this.#compare();
    if (this.#random.below(2) === 0) await this.settle();
  }

  async write(): Promise<void> {
    this.story.push("written");
    await workRandomly(this.#open.device, this.content, this.#random, WRITES);
    await this.#compare();
  }

  /** Until nothing goes on in the background any more. */
  async settle(): Promise<void> {
    this.story.push("settled");
    await raidLayerOf(this.#open).idle();
    await this.#compare();
  }

  /** Every member gives all that it has from now on; a RAID1 may get another member instead. */
  async grow(): Promise<void> {
    await this.settle();
    const layer = raidLayerOf(this.#open);
    if (this.#array.level === "1" && this.#random.below(2) === 0) {
      this.story.push("a member more");
      const image = new Uint8Array(this.#images[0]!.length);
      await layer.growMembers(this.#images.length + 1);
      await layer.addMember(new ImageLayer(image, chanceOf(this.#random)), `member ${this.#images.length}`);
      this.#images.push(image);
      await this.write();
      return this.settle();
    }
    this.story.push("grown");
    const growing = layer.growSize("max");
    await this.write();
    await growing;
    const before = this.content.length;
    await this.end();
    await this.begin([]);
    if (this.content.length <= before) throw new Error("the array did not grow");
  }

  /** Members fail while more is written. */
  async fail(members: readonly number[]): Promise<void> {
    await this.settle();
    this.story.push(`${members.join(",")} failed`);
    const writing = this.write();
    for (const index of members) await raidLayerOf(this.#open).failMember(index);
    await writing;
  }

  /** Members come back, by the bitmap where there is one, and are rebuilt while more is written. */
  async takeBack(members: readonly number[]): Promise<void> {
    const layer = raidLayerOf(this.#open);
    this.story.push(`${members.join(",")} taken back`);
    for (const index of members) {
      const member = new ImageLayer(this.#images[index]!, chanceOf(this.#random));
      if (recipeOf(this.#array).bitmap === null) await layer.addMember(member, `member ${index}`);
      else await layer.reAddMember(member, `member ${index}`);
    }
    await this.write();
    await this.settle();
    if (!isRedundant(this.#array)) return;
    const mismatched = await layer.check();
    if (mismatched > 0) throw new Error(`cev's own check finds ${mismatched} bytes that do not match`);
  }

  async end(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    if (opened === null) return;
    this.story.push("closed");
    await opened.device.close();
  }

  get #open(): OpenedArray {
    if (this.#opened === null) throw new Error("the array is not open");
    return this.#opened;
  }

  async #compare(): Promise<void> {
    const { device } = this.#open;
    const found = await device.read(0, device.size);
    if (Buffer.compare(found, this.content) === 0) return;
    const first = found.findIndex((byte, index) => byte !== this.content[index]);
    throw new Error(`what was written reads otherwise from ${first} on; it was ${this.story.join(", ")}`);
  }
}
