import { decodeJsonString } from "./json-text.ts";
import type { JsonField } from "./json-field.ts";
import type { JsonNode } from "./json-text.ts";

/** A JSON object that can be changed. */
export interface JsonObject {
  [name: string]: JsonValue;
}

/** A JSON value that can be changed, and is written again as it was read. */
export type JsonValue = null | boolean | number | string | ExactNumber | JsonValue[] | JsonObject;

/** A number that JavaScript's own numbers would not give back as it was written: of more than 53 bits, or in another notation. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value of one's own, from what was read. Of members of the same name the last one counts. */
export function jsonValueOf(node: JsonNode, bytes: Uint8Array): JsonValue {
  const { items, names } = node;
  switch (node.kind) {
    case "object": {
      const object = Object.create(null) as JsonObject;
      for (const [index, name] of names!.entries()) object[name] = jsonValueOf(items![index]!, bytes);
      return object;
    }
    case "array":
      return items!.map((item) => jsonValueOf(item, bytes));
    case "string":
      return decodeJsonString(node, bytes);
    case "number": {
      const text = Buffer.from(bytes.subarray(node.start, node.end)).toString("latin1");
      return String(Number(text)) === text ? Number(text) : new ExactNumber(text);
    }
    case "literal":
      return JSON.parse(Buffer.from(bytes.subarray(node.start, node.end)).toString("latin1")) as
        | null
        | boolean;
  }
}

/** The object that a field holds, as one's own. Precondition: it is one. */
export function jsonObjectOf(field: JsonField): JsonObject {
  return field.value() as JsonObject;
}

/** The text of a value, without needless space. */
export function writeJson(value: JsonValue): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(
      ([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`,
    );
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** The object, or null when the value is none. */
export function asJsonObject(value: JsonValue | undefined): JsonObject | null {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof ExactNumber)
    return null;
  return value;
}
