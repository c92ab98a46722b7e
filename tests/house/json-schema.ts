/** The part of JSON Schema that options of drivers are written in: who fits, and values that do. */
import fc from "fast-check";

export type Schema = { readonly [key: string]: unknown };

const KNOWN = new Set([
  ...[
    "type",
    "enum",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "pattern",
    "items",
    "minItems",
    "maxItems",
  ],
  ...["properties", "required", "additionalProperties", "description", "default"],
]);

/** Keywords that neither `fits` nor `valuesOf` know: with one of them, what they say would be wrong. */
export function unknownKeywords(schema: Schema): string[] {
  const inner = [
    ...Object.values(propertiesOf(schema)),
    ...(schema["items"] === undefined ? [] : [schema["items"]]),
  ];
  const own = Object.keys(schema).filter((key) => !KNOWN.has(key));
  return [...own, ...inner.flatMap((one) => unknownKeywords(one as Schema))];
}

/** True for values that the schema accepts. */
export function fits(schema: Schema, value: unknown): boolean {
  const { enum: choices } = schema;
  const types = typesOf(schema);
  if (Array.isArray(choices) && !choices.includes(value)) return false;
  return types.length === 0 ? Array.isArray(choices) : types.some((type) => fitsType(type, schema, value));
}

function fitsType(type: string, schema: Schema, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isInteger(value) && isWithin(schema, value as number);
    case "number":
      return Number.isFinite(value) && isWithin(schema, value as number);
    case "string": {
      const { minLength = 0, pattern } = schema;
      if (typeof value !== "string" || value.length < (minLength as number)) return false;
      return pattern === undefined || new RegExp(pattern as string, "u").test(value);
    }
    case "array": {
      const { items = {}, minItems = 0, maxItems = Infinity } = schema;
      if (!Array.isArray(value)) return false;
      const isCount = value.length >= (minItems as number) && value.length <= (maxItems as number);
      return isCount && value.every((item) => fits(items as Schema, item));
    }
    default:
      return fitsObject(schema, value);
  }
}

function fitsObject(schema: Schema, value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const properties = propertiesOf(schema);
  const { required = [], additionalProperties } = schema;
  return (
    (required as string[]).every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, inner]) =>
      Object.hasOwn(properties, name) ? fits(properties[name]!, inner) : additionalProperties !== false,
    )
  );
}

function isWithin({ minimum = -Infinity, maximum = Infinity, multipleOf }: Schema, value: number): boolean {
  const isStep = multipleOf === undefined || value % (multipleOf as number) === 0;
  return value >= (minimum as number) && value <= (maximum as number) && isStep;
}

/** Values for some paths ("create.chunkSize") in place of any that the schema accepts. */
export type Given = { readonly [path: string]: fc.Arbitrary<unknown> };

/** Any value that the schema accepts. */
export function valuesOf(schema: Schema, given: Given, path = ""): fc.Arbitrary<unknown> {
  if (given[path] !== undefined) return given[path];
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]));
  return fc.oneof(...typesOf(schema).map((type) => valuesOfType(type, schema, given, path)));
}

function valuesOfType(type: string, schema: Schema, given: Given, path: string): fc.Arbitrary<unknown> {
  const { minimum, maximum, multipleOf = 1, minLength = 0, pattern, items, minItems = 0, maxItems } = schema;
  const step = multipleOf as number;
  const from = (minimum as number | undefined) ?? -1000;
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer": {
      const to = Math.min((maximum as number | undefined) ?? 2 ** 40, Number.MAX_SAFE_INTEGER);
      return fc
        .integer({ min: 0, max: 2 ** 31 - 1 })
        .chain((share) => fc.constantFrom(from, to, from + Math.floor((share / 2 ** 31) * (to - from))))
        .map((number) => Math.max(Math.ceil(from / step), Math.floor(number / step)) * step);
    }
    case "number":
      return fc.double({ min: from, max: (maximum as number | undefined) ?? 1e12, noNaN: true });
    case "string":
      if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern as string, "u"));
      // Every text of a file that names something: what no name can have is not in it.
      return fc
        .string({ minLength: minLength as number, unit: "grapheme" })
        .filter((text) => !text.includes("\0"));
    case "array":
      return fc.array(valuesOf((items ?? {}) as Schema, given, `${path}[]`), {
        minLength: minItems as number,
        maxLength: (maxItems as number | undefined) ?? (minItems as number) + 3,
      });
    default: {
      const { required = [] } = schema;
      const within = path === "" ? "" : `${path}.`;
      const all = Object.entries(propertiesOf(schema)).map(
        ([name, inner]) => [name, valuesOf(inner, given, `${within}${name}`)] as const,
      );
      return fc.record(Object.fromEntries(all), {
        requiredKeys: required as string[],
        noNullPrototype: true,
      });
    }
  }
}

/**
 * The value with one thing in it that is something else, more or missing: it may fit after that, or not. Nothing becomes null: to most
 * validators that is the same as leaving an option out, as a key without a value in YAML is meant.
 */
export function changed(value: unknown): fc.Arbitrary<unknown> {
  const others = fc.constantFrom<unknown>(-1, 0, 1.5, 7, 2 ** 60, "", "x", true, [], [1], {}, { x: 1 });
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const within = items.map((item, index) => changed(item).map((other) => items.with(index, other)));
    const fewer = items.length === 0 ? [] : [fc.constant(items.slice(1))];
    return fc.oneof(
      others,
      others.map((other) => [...items, other]),
      ...fewer,
      ...within,
    );
  }
  if (typeof value !== "object" || value === null) return others;
  const within = Object.entries(value).map(([name, inner]) =>
    changed(inner).map((other) => ({ ...value, [name]: other })),
  );
  const fewer = Object.keys(value).map((name) =>
    fc.constant(Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))),
  );
  const more = fc
    .constantFrom("unheardOf", "toString")
    .chain((name) => others.map((other) => ({ ...value, [name]: other })));
  return fc.oneof(others, more, ...fewer, ...within);
}

function typesOf({ type }: Schema): string[] {
  return Array.isArray(type) ? (type as string[]) : typeof type === "string" ? [type] : [];
}

function propertiesOf(schema: Schema): { readonly [name: string]: Schema } {
  return (schema["properties"] ?? {}) as { readonly [name: string]: Schema };
}
