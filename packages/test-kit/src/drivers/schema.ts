import type { Details, Json, StandardSchema } from "@cev/core";

interface Issue {
  readonly message: string;
  readonly path: readonly (string | number)[];
}

/** Options that are checked by their JSON Schema, of which the parts are known that the drivers here use. */
export function schemaOf<Options>(schema: Details): StandardSchema<Options> {
  return {
    "~standard": {
      version: 1,
      vendor: "cev",
      validate(value) {
        const options = value ?? {};
        const issues = issuesOf(options, schema, []);
        return issues.length > 0 ? { issues } : { value: options as Options };
      },
    },
  };
}

function issuesOf(value: unknown, schema: Details, path: Issue["path"]): Issue[] {
  const { enum: choices, pattern } = schema;
  if (Array.isArray(choices))
    return choices.includes(value) ? [] : [{ message: `expected one of ${choices.join(", ")}`, path }];
  switch (schema["type"]) {
    case "object":
      return objectIssues(value, schema, path);
    case "array":
      return arrayIssues(value, schema, path);
    case "boolean":
      return typeof value === "boolean" ? [] : [{ message: "expected true or false", path }];
    case "string":
      if (typeof value !== "string") return [{ message: "expected a text", path }];
      return typeof pattern === "string" && !new RegExp(pattern, "u").test(value)
        ? [{ message: `expected ${textOf(schema["description"])}`, path }]
        : [];
    default:
      return numberIssues(value, schema, path);
  }
}

function objectIssues(value: unknown, schema: Details, path: Issue["path"]): Issue[] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return [{ message: "expected an object", path }];
  const properties = schema["properties"] as { readonly [name: string]: Details };
  const required = (schema["required"] ?? []) as readonly string[];
  const missing = required.filter((name) => !(name in value));
  return [
    ...missing.map((name) => ({ message: "is missing", path: [...path, name] })),
    ...Object.entries(value).flatMap(([name, inner]) =>
      Object.hasOwn(properties, name)
        ? issuesOf(inner, properties[name]!, [...path, name])
        : [{ message: "there is no such option", path: [...path, name] }],
    ),
  ];
}

function arrayIssues(value: unknown, schema: Details, path: Issue["path"]): Issue[] {
  if (!Array.isArray(value)) return [{ message: "expected a list", path }];
  const count = schema["minItems"];
  if (typeof count === "number" && value.length !== count)
    return [{ message: `expected ${count} items`, path }];
  return value.flatMap((item, index) => issuesOf(item, schema["items"] as Details, [...path, index]));
}

function numberIssues(value: unknown, schema: Details, path: Issue["path"]): Issue[] {
  const { type, minimum = -Infinity, maximum = Infinity, multipleOf } = schema;
  const isKind = type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (!isKind) return [{ message: `expected ${type === "integer" ? "a whole number" : "a number"}`, path }];
  if ((value as number) < (minimum as number))
    return [{ message: `expected at least ${textOf(minimum)}`, path }];
  if ((value as number) > (maximum as number))
    return [{ message: `expected at most ${textOf(maximum)}`, path }];
  if (typeof multipleOf === "number" && (value as number) % multipleOf !== 0)
    return [{ message: `expected a multiple of ${multipleOf}`, path }];
  return [];
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
