import { assert } from "@cev/core";
import { asJsonObject } from "./json-value.ts";
import type { JsonObject, JsonValue } from "./json-value.ts";
import { AREA_ALIGNMENT } from "./layout.ts";

/** An area that a keyslot takes, of whatever type. Bytes. */
interface Area {
  /** The keyslot's name. */
  readonly id: string;
  readonly offset: number;
  readonly size: number;
}

/** One of the objects that keyslots, tokens, segments, digests and settings stand in. Precondition: the whole is valid. */
export function listOf(
  json: JsonObject,
  name: "keyslots" | "tokens" | "segments" | "digests" | "config",
): JsonObject {
  const list = asJsonObject(json[name]);
  assert(list !== null, `a valid header has ${name}`);
  return list;
}

/** The areas of all keyslots, in the order in which they lie. */
export function areasOf(json: JsonObject): Area[] {
  return Object.entries(listOf(json, "keyslots"))
    .map(([id, keyslot]) => {
      const area = asJsonObject(asJsonObject(keyslot)?.["area"])!;
      return { id, offset: Number(area["offset"]), size: Number(area["size"]) };
    })
    .sort((left, right) => left.offset - right.offset);
}

/** Where the first gap begins that is large enough; null when there is none. */
export function findGap(
  areas: readonly Area[],
  { start, end, size }: { readonly start: number; readonly end: number; readonly size: number },
): number | null {
  let at = start;
  for (const area of areas) {
    if (area.offset - at >= size) return at;
    at = Math.ceil((area.offset + area.size) / AREA_ALIGNMENT) * AREA_ALIGNMENT;
  }
  return at + size <= end ? at : null;
}

/** The first number that is no member's name; null when all are. */
export function freeNumber(list: JsonObject, end: number): number | null {
  for (let id = 0; id < end; id++) if (!Object.hasOwn(list, id)) return id;
  return null;
}

/** Enters a keyslot in a digest or token, or takes it out. */
export function bindKeyslot(holder: JsonValue | undefined, id: number, isBound: boolean): void {
  const object = asJsonObject(holder);
  const keyslots = object?.["keyslots"];
  assert(object !== null && Array.isArray(keyslots), "digests and tokens name keyslots");
  const others = keyslots.filter((name) => name !== String(id));
  object["keyslots"] = isBound ? [...others, String(id)] : others;
}

/** Takes a keyslot out of everything that names it, and a digest that has neither keyslots nor segments left with it. */
export function forgetKeyslot(json: JsonObject, id: number): void {
  Reflect.deleteProperty(listOf(json, "keyslots"), id);
  for (const token of Object.values(listOf(json, "tokens"))) bindKeyslot(token, id, false);
  const digests = listOf(json, "digests");
  for (const [name, digest] of Object.entries(digests)) {
    bindKeyslot(digest, id, false);
    const { keyslots, segments } = asJsonObject(digest)!;
    if (isEmpty(keyslots) && isEmpty(segments)) Reflect.deleteProperty(digests, name);
  }
}

function isEmpty(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.length === 0;
}
