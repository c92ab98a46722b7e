import type { Json } from "@cev/core";
import type { StackDescription } from "@cev/stack";

/** A description as a stack file in YAML. Strings are written as JSON, which YAML reads the same. */
export function stackText({ devices }: StackDescription): string[] {
  const lines = ["devices:"];
  for (const [name, entry] of Object.entries(devices)) {
    const options = Object.entries(entry).filter((pair): pair is [string, Json] => pair[1] !== undefined);
    lines.push(
      `  ${key(name)}: { ${options.map(([option, value]) => `${key(option)}: ${valueText(value)}`).join(", ")} }`,
    );
  }
  return lines;
}

const key = (name: string): string => (/^[A-Za-z][\w]*$/.test(name) ? name : JSON.stringify(name));

function valueText(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(valueText).join(", ")}]`;
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return typeof value === "string" ? key(value) : String(value);
}
