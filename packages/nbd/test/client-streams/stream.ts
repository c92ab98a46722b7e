import { Buffer } from "node:buffer";
import { STACK_SIZE } from "../support/stack.ts";
import type { Chance } from "./chance.ts";
import { EDGES, mutate } from "./mutate.ts";

const NAMES = ["disk", "disk", "disk", "frozen", "", "nope", "disk\0", "ä"];
const QUERIES = [
  "base:",
  "base:allocation",
  "base:allocation",
  "x-cev:holder",
  "x-cev:",
  "other:thing",
  "base:*",
  "",
];
const STREAM_MAX = 65_536;
const COMPACT_MAGIC = 0x25609513;
const EXTENDED_MAGIC = 0x21e41c71;

/** Builds what clients send, by chance, and breaks it. The bytes are good until the next stream is made. */
export class StreamMaker {
  readonly #bytes = Buffer.alloc(2 * STREAM_MAX);
  readonly #spare = Buffer.alloc(2 * STREAM_MAX);
  #length = 0;
  #isExtended = false;

  make(chance: Chance): Buffer {
    this.#length = 0;
    this.#isExtended = false;
    this.#word(chance.oneIn(10) ? chance.word() : chance.below(4));
    for (let left = chance.below(5); left > 0; left--) this.#anyOption(chance);
    if (!chance.oneIn(5))
      this.#info(chance, chance.oneIn(8) ? 1 : 7, chance.oneIn(6) ? chance.pick(NAMES) : "disk");
    for (let left = chance.below(10); left > 0; left--) this.#request(chance);
    if (!chance.oneIn(4))
      for (let left = 1 + chance.below(4); left > 0; left--)
        this.#length = mutate(this.#bytes, this.#spare, this.#length, { lengthMax: STREAM_MAX, chance });
    return this.#bytes.subarray(0, this.#length);
  }

  #word(value: number): void {
    this.#length = this.#bytes.writeUInt32BE(value >>> 0, this.#length);
  }

  #half(value: number): void {
    this.#length = this.#bytes.writeUInt16BE(value & 0xffff, this.#length);
  }

  #text(text: string): void {
    this.#length += this.#bytes.write(text, this.#length);
  }

  #filler(length: number, value: number): void {
    this.#bytes.fill(value, this.#length, this.#length + length);
    this.#length += length;
  }

  /** The head of an option; `end` writes its length when its data is known. */
  #option(type: number): number {
    this.#text("IHAVEOPT");
    this.#word(type);
    this.#word(0);
    return this.#length;
  }

  #end(start: number): void {
    this.#bytes.writeUInt32BE(this.#length - start, start - 4);
  }

  #anyOption(chance: Chance): void {
    const type = chance.oneIn(12)
      ? chance.word()
      : chance.pick([1, 2, 3, 5, 6, 6, 7, 8, 8, 8, 9, 10, 10, 10, 11, 11]);
    if (type === 11) this.#isExtended = true;
    if (type === 6 || type === 7) return this.#info(chance, type, chance.pick(NAMES));
    if (type === 9 || type === 10) return this.#meta(chance, type);
    const start = this.#option(type);
    if (type === 1) this.#text(chance.pick(NAMES));
    else if (chance.oneIn(6)) this.#filler(chance.oneIn(8) ? 20_000 : chance.below(64), chance.below(256));
    this.#end(start);
  }

  #info(chance: Chance, type: number, name: string): void {
    const start = this.#option(type);
    if (type !== 1) this.#word(Buffer.byteLength(name));
    this.#text(name);
    if (type !== 1) {
      const count = chance.below(4);
      this.#half(count);
      for (let index = 0; index < count; index++) this.#half(chance.below(6));
    }
    this.#end(start);
  }

  #meta(chance: Chance, type: number): void {
    const start = this.#option(type);
    const name = chance.oneIn(4) ? chance.pick(NAMES) : "disk";
    this.#word(Buffer.byteLength(name));
    this.#text(name);
    const count = chance.oneIn(20) ? 40 : chance.below(4);
    this.#word(count);
    for (let index = 0; index < count; index++) {
      const query = chance.pick(QUERIES);
      this.#word(query.length);
      this.#text(query);
    }
    this.#end(start);
  }

  #request(chance: Chance): void {
    const isExtended = chance.oneIn(12) ? !this.#isExtended : this.#isExtended;
    const command = chance.oneIn(20)
      ? chance.below(65_536)
      : chance.pick([0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 8]);
    const isWrite = command === 1;
    const flags = chance.oneIn(3) ? 1 << chance.below(7) : 0;
    const length = isWrite
      ? chance.below(chance.oneIn(8) ? 9000 : 600)
      : chance.below(chance.oneIn(4) ? STACK_SIZE : 9000);
    this.#word(isExtended ? EXTENDED_MAGIC : COMPACT_MAGIC);
    this.#half(isExtended && isWrite && !chance.oneIn(10) ? flags | 0x20 : flags);
    this.#half(command);
    this.#word(chance.word());
    this.#word(chance.below(8));
    const [high, low] = chance.oneIn(12)
      ? chance.pick(EDGES)
      : [0, command === 3 ? 0 : chance.below(STACK_SIZE)];
    this.#word(high);
    this.#word(low);
    if (isExtended) this.#word(chance.oneIn(30) ? chance.word() : 0);
    this.#word(command === 3 && !chance.oneIn(4) ? 0 : chance.oneIn(20) ? chance.pick(EDGES)[1] : length);
    if (isWrite && this.#length + length < STREAM_MAX) this.#filler(length, chance.below(256));
  }
}
