import type { Details, Json } from "@cev/core";
import { detailsIn, optionsSchemaOf } from "./options-schema.ts";
import type { DescribedDriver } from "./options-schema.ts";

/**
 * The options of a driver as a table in Markdown, from their JSON Schema: name, what may be given, default, meaning. What is within an
 * option is named `option.inner`, what is within the items of a list `option[].inner`.
 */
export function optionsMarkdown(driver: DescribedDriver): string {
  const schema = optionsSchemaOf(driver);
  const rows = rowsOf(schema, "", schema);
  if (rows.length === 0)
    return schema["properties"] === undefined
      ? `The driver \`${driver.name}\` does not say which options it takes.`
      : `The driver \`${driver.name}\` takes no options of its own.`;
  return ["| option | value | default | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

const DEPTH_MAX = 4;

/** `whole`: where references are looked for. */
function rowsOf(schema: Details, prefix: string, whole: Details): string[] {
  const required = asList(schema["required"]);
  // A schema may refer to itself: what is nested deeper than this is not told.
  if (prefix.split(".").length > DEPTH_MAX) return [];
  return Object.entries(detailsIn(schema["properties"])).flatMap(([name, value]) => {
    const option = resolved(detailsIn(value), whole);
    const path = `${prefix}${name}`;
    const items = resolved(detailsIn(option["items"]), whole);
    const fallback = required.includes(name) ? "required" : defaultText(option);
    const cells = [`\`${path}\``, valueText(option, items), fallback, sentence(option["description"])];
    return [
      `|${cells.map((cell) => (cell === "" ? " " : ` ${cell.replaceAll("|", "\\|")} `)).join("|")}|`,
      ...rowsOf(option, `${path}.`, whole),
      ...rowsOf(items, `${path}[].`, whole),
    ];
  });
}

function defaultText({ default: value, description }: Details): string {
  if (value === undefined) return "";
  const isLength = typeof description === "string" && /\bbytes\b/i.test(description);
  if (!isLength || typeof value !== "number" || value < 1024 || value % 1024 !== 0) return code(value);
  const power = [30, 20, 10].find((exponent) => value % 2 ** exponent === 0)!;
  return `${code(value)} (${value / 2 ** power} ${power === 30 ? "GiB" : power === 20 ? "MiB" : "KiB"})`;
}

/** A schema that is only a reference (`#/$defs/size`) stands for what it names. */
function resolved(schema: Details, whole: Details): Details {
  const { $ref, ...own } = schema;
  const name = typeof $ref === "string" ? /^#\/\$defs\/([^/]+)$/.exec($ref)?.[1] : undefined;
  return name === undefined ? schema : { ...detailsIn(detailsIn(whole["$defs"])[name]), ...own };
}

/** What may be given, in words: "whole number, 1 to 16", "list of texts". */
function valueText(option: Details, items: Details): string {
  const { enum: choices, const: only, anyOf, oneOf } = option;
  if (only !== undefined) return code(only);
  if (Array.isArray(choices)) return choicesText(choices as readonly Json[]);
  const alternatives = anyOf ?? oneOf;
  if (Array.isArray(alternatives))
    return [...new Set(alternatives.map((one: Json) => valueText(detailsIn(one), {})))].join(" or ");
  const kinds = asList(option["type"]).map((type) =>
    type === "array" ? listText(option, items) : WORDS[type],
  );
  const text = kinds.length === 0 ? "anything" : kinds.map((kind) => kind ?? "anything").join(" or ");
  return [text, ...boundsOf(option)].join(", ");
}

const WORDS: { readonly [type: string]: string } = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
  object: "object",
  null: "null",
};

/** Long rows of numbers (powers of two) are known by their beginning and their end. */
function choicesText(choices: readonly Json[]): string {
  const words = choices.map(code);
  const isLongRow = choices.length > 8 && choices.every((choice) => typeof choice === "number");
  return (isLongRow ? [...words.slice(0, 3), "…", ...words.slice(-1)] : words).join(", ");
}

function listText({ minItems, maxItems }: Details, items: Details): string {
  const count = typeof minItems === "number" && minItems === maxItems ? ` of ${minItems}` : "";
  return Object.keys(items).length === 0
    ? `list${count}`
    : `list${count}: ${valueText(items, detailsIn(items["items"]))}`;
}

function boundsOf({ minimum, maximum, multipleOf }: Details): string[] {
  // What no number in a file can pass is no bound that anybody asks for.
  const isBounded = typeof maximum === "number" && maximum < Number.MAX_SAFE_INTEGER;
  const range =
    minimum !== undefined && isBounded
      ? [`${numberText(minimum)} to ${numberText(maximum)}`]
      : isBounded
        ? [`at most ${numberText(maximum)}`]
        : minimum === undefined
          ? []
          : [`at least ${numberText(minimum)}`];
  return multipleOf === undefined ? range : [...range, `a multiple of ${numberText(multipleOf)}`];
}

const numberText = (value: Json): string => (typeof value === "number" ? value.toLocaleString("en-US") : "");

const code = (value: Json): string => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;

function sentence(description: Json | undefined): string {
  if (typeof description !== "string" || description === "") return "";
  const line = description.replaceAll(/\s+/g, " ").trim();
  return /[.!?]$/.test(line) ? line : `${line}.`;
}

function asList(value: Json | undefined): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((one) => typeof one === "string");
}
