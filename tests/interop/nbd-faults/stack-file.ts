import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NbdOptions } from "@cev/nbd";

/** Writes a stack file with the exports of servers as devices, and more lines of devices; the last device is what it exports. */
export function writeStack(
  folder: string,
  devices: Readonly<Record<string, NbdOptions>>,
  more: readonly string[] = [],
): string {
  const path = join(folder, "stack.yaml");
  const lines = Object.entries(devices).map(
    ([name, options]) => `  ${name}: ${JSON.stringify({ driver: "@cev/nbd", ...options })}`,
  );
  writeFileSync(path, `devices:\n${[...lines, ...more.map((line) => `  ${line}`)].join("\n")}\n`);
  return path;
}
