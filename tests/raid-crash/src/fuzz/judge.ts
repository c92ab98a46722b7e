import { Op, isCevError } from "@cev/core";
import type { CevError } from "@cev/core";
import { MemoryLayer, Random, SimulatedWorld } from "@cev/test-kit";
import { openArray } from "../array.ts";
import type { OpenArray } from "../array.ts";
import { drive } from "../work/world.ts";
import { makeImages } from "../images/images.ts";
import { arraySizeOf } from "../reference.ts";
import type { Shape } from "../shape.ts";
import type { Damage } from "./damage.ts";

/** What came of a damage. */
export interface Verdict {
  /** "opened", or the code that it was refused with. */
  readonly outcome: string;
  /** What is wrong with that, in words. */
  readonly violations: readonly string[];
}

const BLOCK = 512;
const READ_MAX = 16_384;

/** Members that say the same lie about where bytes lie cannot be told from those that tell the truth. */
const SHAPES_THE_DATA =
  /^(level|layout|size|chunk_?size|raid_disks|data_offset|data_size|dev_number|dev_roles|feature_map|minor_version|disks\[|this_disk|state$)/;
/** So does one that lies about itself alone, in a field that nothing contradicts. */
const SHAPES_OWN_DATA = /^(data_offset|data_size|bblog|entry)/;

/** Without it, it is no superblock; with another version it is looked for elsewhere. */
const MAGIC = /magic|major_version|minor_version/;

/** Opens damaged arrays of one shape and looks at what comes of it. */
export class HostileBench {
  readonly shape: Shape;
  readonly #world = new SimulatedWorld({ seed: 1, order: "fifo" });
  readonly #content: Uint8Array;
  readonly #images: readonly Uint8Array[];

  constructor(shape: Shape) {
    this.shape = shape;
    this.#content = new Random(99).bytes(arraySizeOf(shape));
    this.#images = makeImages(shape, this.#content);
  }

  async judge(damage: Damage, isReadOnly: boolean): Promise<Verdict> {
    const { environment } = this.#world;
    const images = this.#images.map((image, member) => this.#damaged(image, member, damage));
    const disks = images.map((contents, index) => ({
      name: `d${index}`,
      layer: new MemoryLayer(environment, { size: contents.length, contents }),
    }));
    const violations: string[] = [];
    const lentBefore = environment.buffers.bytesLent;
    const start = performance.now();
    let outcome = "opened";
    let isOpened = false;
    try {
      const array = await drive(this.#world, openArray(environment, disks, { isReadOnly }));
      const isRight = this.#mustBeRight(damage);
      const wrong = await drive(this.#world, this.#look(array.device, isRight));
      if (wrong !== null) violations.push(wrong);
      isOpened = true;
      if (!array.device.isReadOnly) violations.push(...(await drive(this.#world, this.#use(array))));
      await drive(this.#world, array.device.close());
    } catch (error) {
      outcome = isCevError(error) ? error.code : "thrown";
      violations.push(...this.#judgeError(error, damage));
      if (isOpened) violations.push(`once open, it does not close: ${String(error)}`);
      else if (outcome !== "thrown" && disks.some(({ layer }) => layer.log.some(({ op }) => op === Op.write)))
        violations.push("it was refused, and written all the same");
    }
    const took = performance.now() - start;
    if (took > 2000) violations.push(`it took ${took.toFixed(0)} ms`);
    if (isReadOnly && disks.some(({ layer }) => layer.log.some(({ op }) => op !== Op.read)))
      violations.push("it was opened read-only and written");
    if (environment.buffers.bytesLent !== lentBefore) violations.push("buffers were not given back");
    if (disks.some(({ layer }) => layer.claims.count > 0)) violations.push("members are still claimed");
    return { outcome, violations: violations.map((text) => `${damage.title}: ${text}`) };
  }

  #damaged(image: Uint8Array, member: number, { structure, scope, member: hit, change }: Damage): Uint8Array {
    if (scope !== "all" && member !== hit) return image;
    const damaged = image.slice();
    const bytes = damaged.subarray(structure.offset, structure.offset + 4096);
    change(bytes);
    if (scope !== "torn") structure.seal(bytes);
    return damaged;
  }

  #mustBeRight({ scope, fields, structure }: Damage): boolean {
    if (scope === "torn") return true;
    if (structure.name === "bad-block log") return scope === "one";
    const isTold = scope === "one" ? SHAPES_OWN_DATA : SHAPES_THE_DATA;
    return !fields.some((field) => isTold.test(field));
  }

  /** Reads what there is, from both ends of a device whose size is whatever was believed. */
  async #look(
    device: { readonly size: number; read(offset: number, length: number): Promise<Uint8Array> },
    isRight: boolean,
  ): Promise<string | null> {
    if (isRight && device.size !== this.#content.length)
      return `the array has ${device.size} bytes instead of ${this.#content.length}`;
    const places = [];
    for (let at = 0; at < Math.min(device.size, this.#content.length); at += READ_MAX) places.push(at);
    if (device.size > this.#content.length) places.push(device.size - (device.size % BLOCK) - BLOCK);
    for (const at of places) {
      if (at < 0) continue;
      const length = Math.min(READ_MAX, device.size - at);
      let bytes: Uint8Array;
      try {
        bytes = await device.read(at, length);
      } catch (error) {
        if (!isCevError(error)) throw error;
        continue;
      }
      if (!isRight) continue;
      if (Buffer.compare(bytes, this.#content.subarray(at, at + length)) !== 0)
        return `wrong bytes are read at ${at}`;
    }
    return null;
  }

  /** What opens for writing can be written, and lets what is due run in the background. */
  async #use({ device, layer }: OpenArray): Promise<string[]> {
    const length = Math.min(4096, device.size - (device.size % BLOCK));
    const data = new Uint8Array(length).fill(0x5a);
    try {
      await device.write(0, data);
      if (Buffer.compare(await device.read(0, length), data) !== 0)
        return ["what was written reads otherwise"];
      await layer.idle();
    } catch (error) {
      if (!isCevError(error)) throw error;
      if (error.code === "CEV_PROGRAM") return [`a bug is told of: ${String(error)}`];
    }
    return [];
  }

  #judgeError(error: unknown, damage: Damage): string[] {
    if (!isCevError(error)) return [`it threw ${(error as Error).stack ?? String(error)}`];
    if (error.code === "CEV_PROGRAM") return [`a bug is told of: ${String(error)}`];
    return this.#mustNamePlace(error, damage) ? this.#placeFaults(error) : [];
  }

  /** Whatever is wrong with what was found; not that nothing, or too little, was found. */
  #mustNamePlace({ code }: CevError, { fields, scope }: Damage): boolean {
    if (code === "CEV_BAD_METADATA" || code === "CEV_UNKNOWN_FEATURE" || code === "CEV_AMBIGUOUS")
      return true;
    return code === "CEV_NOT_FOUND" && scope === "all" && !fields.some((field) => MAGIC.test(field));
  }

  #placeFaults({ message, place }: CevError): string[] {
    const { source, structure, field, byteOffset } = place;
    const faults: string[] = [];
    if (source === undefined || !/^d\d+$/.test(source)) faults.push(`no device is named: ${message}`);
    if (structure === undefined) faults.push(`no structure is named: ${message}`);
    if (field === undefined) faults.push(`no field is named: ${message}`);
    const size = this.#images[0]!.length;
    if (byteOffset === undefined || !(byteOffset >= 0 && byteOffset < size))
      faults.push(`no place on the device is named (${byteOffset}): ${message}`);
    return faults;
  }
}
