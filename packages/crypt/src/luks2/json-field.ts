import { MetadataError } from "@cev/core";
import { printable } from "../header/details.ts";
import { decodeJsonString } from "./json-text.ts";
import type { JsonNode, JsonPlace } from "./json-text.ts";
import { jsonValueOf } from "./json-value.ts";
import type { JsonValue } from "./json-value.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const UINT64_MAX = 2n ** 64n - 1n;
const NUMBER_LENGTH_MAX = 32;

/** The text that fields lie in, and where it came from. */
export interface JsonSource {
  readonly bytes: Uint8Array;
  readonly place: JsonPlace;
}

/**
 * One value in a JSON text that is not trusted, with the path that leads to it: each method checks, and names what it refuses and the
 * byte where it stands. What is missing stands where the object is that it is missing from.
 */
export class JsonField {
  readonly path: string;
  readonly #node: JsonNode | null;
  readonly #start: number;
  readonly #source: JsonSource;

  constructor(node: JsonNode | null, source: JsonSource, path = "", start: number = node?.start ?? 0) {
    this.path = path;
    this.#node = node;
    this.#start = start;
    this.#source = source;
  }

  /** The error for a value that cannot be accepted. */
  bad(message: string): MetadataError {
    return new MetadataError(message, this.#errorPlace());
  }

  /** The error for a value that is well-formed and unknown here. */
  unknown(message: string): MetadataError {
    return new MetadataError(message, this.#errorPlace(), "CEV_UNKNOWN_FEATURE");
  }

  get isMissing(): boolean {
    return this.#node === null;
  }

  get isObject(): boolean {
    return this.#node?.kind === "object";
  }

  get isString(): boolean {
    return this.#node?.kind === "string";
  }

  /** A member of an object, which may be missing. Of members of the same name the last one counts. */
  member(name: string): JsonField {
    const object = this.#object();
    const index = object.names!.lastIndexOf(name);
    return this.#child(object, index, name);
  }

  /** All members of an object; of those of the same name the last one. */
  members(): [name: string, field: JsonField][] {
    const object = this.#object();
    const last = new Map(object.names!.map((name, index) => [name, index]));
    return [...last].map(([name, index]) => [name, this.#child(object, index, name)]);
  }

  /** As `members`, each named by a number. */
  numberedMembers(): [name: string, field: JsonField][] {
    const members = this.members();
    for (const [name, field] of members)
      if (!/^[0-9]*$/.test(name)) throw field.bad("its name is not a number");
    return members;
  }

  items(): JsonField[] {
    const array = this.#node;
    if (array?.kind !== "array") throw this.bad(this.#isNot("an array"));
    return array.items!.map(
      (item, index) => new JsonField(item, this.#source, `${this.path}[${index}]`, item.start),
    );
  }

  string(lengthMax = 255): string {
    const node = this.#node;
    if (node?.kind !== "string") throw this.bad(this.#isNot("a string"));
    // An escape takes six bytes for one character.
    const isShort = node.end - node.start <= 6 * lengthMax + 2;
    const text = isShort ? decodeJsonString(node, this.#source.bytes) : "";
    if (!isShort || text.length > lengthMax) throw this.bad(`is longer than ${lengthMax} characters`);
    // They are names, and are shown to people: nothing in them may steer a terminal.
    if (/\p{Cc}/u.test(text)) throw this.bad("holds control characters");
    return text;
  }

  /** A string that is not empty. */
  name(lengthMax = 255): string {
    const text = this.string(lengthMax);
    if (text === "") throw this.bad("is empty");
    return text;
  }

  /** A whole number, written as one, of whatever size. */
  bigInteger(): bigint {
    const node = this.#node;
    if (node?.kind !== "number") throw this.bad(this.#isNot("a number"));
    const { bytes } = this.#source;
    const text = Buffer.from(bytes.subarray(node.start, Math.min(node.end, node.start + NUMBER_LENGTH_MAX)));
    if (node.end - node.start >= NUMBER_LENGTH_MAX || !/^-?[0-9]+$/.test(text.toString("latin1")))
      throw this.bad("is not a whole number");
    return BigInt(text.toString("latin1"));
  }

  /** A whole number within bounds, which are safe integers. */
  integer(valueMin: number, valueMax: number): number {
    return this.#bounded(this.bigInteger(), valueMin, valueMax);
  }

  /** A number of up to 64 bits, which JSON keeps as a string of decimal digits. */
  bigDecimal(): bigint {
    const text = this.name();
    if (!/^[0-9]+$/.test(text)) throw this.bad("is not a string of decimal digits");
    const value = BigInt(text);
    if (value > UINT64_MAX) throw this.bad("has more than 64 bits");
    return value;
  }

  /** As `bigDecimal`, and within bounds, which are safe integers. */
  decimal(valueMin = 0, valueMax: number = Number.MAX_SAFE_INTEGER): number {
    return this.#bounded(this.bigDecimal(), valueMin, valueMax);
  }

  base64(lengthMin: number, lengthMax: number): Uint8Array {
    const text = this.string(Math.ceil(lengthMax / 3) * 4);
    if (!BASE64.test(text)) throw this.bad("is not base64");
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    // As cryptsetup has it: bits that belong to no byte are 0.
    if (Buffer.from(bytes).toString("base64") !== text) throw this.bad("is not base64");
    if (bytes.length < lengthMin || bytes.length > lengthMax)
      throw this.bad(`holds ${bytes.length} bytes, not ${lengthMin} to ${lengthMax}`);
    return bytes;
  }

  /** What stands there, as bytes of JSON. Empty: it is missing. */
  source(): Uint8Array {
    const node = this.#node;
    return node === null ? new Uint8Array(0) : this.#source.bytes.subarray(node.start, node.end);
  }

  /** What stands there, as a value of one's own; null: it is missing. */
  value(): JsonValue {
    return this.#node === null ? null : jsonValueOf(this.#node, this.#source.bytes);
  }

  #child(object: JsonNode, index: number, name: string): JsonField {
    const node = index < 0 ? null : object.items![index]!;
    const path = this.path === "" ? name : `${this.path}.${name}`;
    return new JsonField(node, this.#source, path, node?.start ?? object.start);
  }

  #bounded(value: bigint, valueMin: number, valueMax: number): number {
    if (value < BigInt(valueMin) || value > BigInt(valueMax))
      throw this.bad(`is ${value}, not a whole number from ${valueMin} to ${valueMax}`);
    return Number(value);
  }

  #object(): JsonNode {
    if (this.#node?.kind !== "object") throw this.bad(this.#isNot("an object"));
    return this.#node;
  }

  #isNot(what: string): string {
    return this.#node === null ? "is missing" : `is not ${what}`;
  }

  #errorPlace(): JsonPlace & { readonly field: string } {
    const { place } = this.#source;
    return { ...place, field: printable(this.path), byteOffset: place.byteOffset + this.#start };
  }
}
