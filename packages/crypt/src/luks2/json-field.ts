import { MetadataError } from "@cev/core";

/** Where a JSON text came from, for errors. */
export interface JsonPlace {
  readonly source: string;
  readonly structure: string;
  /** Where the text begins in the source. */
  readonly byteOffset: number;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DECIMAL = /^(?:0|[1-9][0-9]{0,19})$/;

/** One value in a JSON text that is not trusted, with the path that leads to it: each method checks, and names what it refuses. */
export class JsonField {
  readonly value: unknown;
  readonly path: string;
  readonly place: JsonPlace;

  constructor(value: unknown, path: string, place: JsonPlace) {
    this.value = value;
    this.path = path;
    this.place = place;
  }

  /** The error for a value that cannot be accepted. */
  bad(message: string): MetadataError {
    return new MetadataError(message, { ...this.place, field: this.path });
  }

  /** The error for a value that is well-formed and unknown here. */
  unknown(message: string): MetadataError {
    return new MetadataError(message, { ...this.place, field: this.path }, "CEV_UNKNOWN_FEATURE");
  }

  /** A member of an object, which may be missing: then its value is undefined. */
  member(name: string): JsonField {
    const object = this.#object();
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    return new JsonField(value, this.path === "" ? name : `${this.path}.${name}`, this.place);
  }

  /** All members of an object. */
  members(): [name: string, field: JsonField][] {
    return Object.keys(this.#object()).map((name) => [name, this.member(name)]);
  }

  get isMissing(): boolean {
    return this.value === undefined;
  }

  items(): JsonField[] {
    if (!Array.isArray(this.value)) throw this.bad(this.isMissing ? "is missing" : "is not an array");
    return this.value.map(
      (item: unknown, index) => new JsonField(item, `${this.path}[${index}]`, this.place),
    );
  }

  string(lengthMax = 255): string {
    if (typeof this.value !== "string") throw this.bad(this.isMissing ? "is missing" : "is not a string");
    if (this.value.length > lengthMax) throw this.bad(`is longer than ${lengthMax} characters`);
    // They are names, and are shown to people: nothing in them may steer a terminal.
    if (/\p{Cc}/u.test(this.value)) throw this.bad("holds control characters");
    return this.value;
  }

  /** A number that is an integer within bounds. */
  integer(valueMin: number, valueMax: number): number {
    if (typeof this.value !== "number") throw this.bad(this.isMissing ? "is missing" : "is not a number");
    return this.#bounded(this.value, valueMin, valueMax);
  }

  /** A number of up to 64 bits, which JSON keeps as a string of decimal digits; here it must be a safe integer, too. */
  decimal(valueMin = 0, valueMax: number = Number.MAX_SAFE_INTEGER): number {
    const text = this.string();
    if (!DECIMAL.test(text)) throw this.bad("is not a string of decimal digits");
    return this.#bounded(Number(text), valueMin, valueMax);
  }

  base64(lengthMin: number, lengthMax: number): Uint8Array {
    const text = this.string(Math.ceil(lengthMax / 3) * 4);
    if (!BASE64.test(text)) throw this.bad("is not base64");
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (bytes.length < lengthMin || bytes.length > lengthMax)
      throw this.bad(`holds ${bytes.length} bytes, not ${lengthMin} to ${lengthMax}`);
    return bytes;
  }

  #bounded(value: number, valueMin: number, valueMax: number): number {
    if (!Number.isSafeInteger(value) || value < valueMin || value > valueMax)
      throw this.bad(`is ${value}, not a whole number from ${valueMin} to ${valueMax}`);
    return value;
  }

  #object(): Record<string, unknown> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value))
      throw this.bad(this.isMissing ? "is missing" : "is not an object");
    return this.value as Record<string, unknown>;
  }
}
