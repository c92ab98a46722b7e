import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CevError, INTERFACE_VERSION, environmentFrom, formatError, isCevError, readBytes } from "@cev/core";
import type { Device, Driver, Environment, Finding, Layer, OpenContext, StandardSchema } from "@cev/core";
import { MemoryLayer, NoOpLayer } from "@cev/test-kit";
import { expect, onTestFinished } from "vitest";
import { WindowLayer } from "../src/index.ts";
import type { AnyDriver } from "../src/index.ts";

export const environment: Environment = environmentFrom(globalThis);

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cev-stack-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Takes any object as options. */
export const anyOptions: StandardSchema<Record<string, unknown>> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => ({ value: value as Record<string, unknown> }),
  },
};

/** A driver with everything filled in. */
export function driverOf(parts: Partial<Driver> & { readonly name: string }): AnyDriver {
  return {
    interfaceVersion: INTERFACE_VERSION,
    summary: "a driver of a test",
    options: anyOptions,
    optionsSchema: { type: "object", properties: {} },
    lowers: { countMin: 1, countMax: 1 },
    open: ({ lowers }) =>
      Promise.resolve([{ name: null, layer: new NoOpLayer(lowers[0]!.layer), state: "clean", details: {} }]),
    ...parts,
  };
}

/** A disk in memory, in a stack's description. */
export const memoryDriver: AnyDriver = driverOf({
  name: "memory",
  lowers: { countMin: 0, countMax: 0 },
  open: () =>
    Promise.resolve([
      { name: null, layer: new MemoryLayer(environment, { size: 65_536 }), state: "clean", details: {} },
    ]),
});

/** Hands everything through. */
export const passDriver: AnyDriver = driverOf({ name: "pass" });

/** A disk that begins with a text: what the drivers below look for. */
export function disk(text: string, size = 65_536): MemoryLayer {
  return new MemoryLayer(environment, { size, contents: new TextEncoder().encode(text) });
}

async function textOf(device: Device): Promise<string> {
  const bytes = await device.read(0, 64);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/**
 * A format of the test: a disk that begins with `<word>:<group>:<name>` carries it; a group of "-" stands alone. What it
 * yields is the rest of the disk after 512 bytes.
 */
export function formatDriver(word: string, parts: Partial<Driver> = {}): AnyDriver {
  return driverOf({
    name: word,
    lowers: { countMin: 1, countMax: 16 },
    async probe(device: Device): Promise<Finding | null> {
      const [head, group, name] = (await textOf(device)).split(":");
      if (head !== word) return null;
      if (group === "broken") {
        throw new CevError("CEV_BAD_METADATA", "its head is broken", {
          structure: `${word} head`,
          byteOffset: 0,
        });
      }
      return {
        summary: `${word} ${name ?? ""}`,
        group: group === "-" ? null : group!,
        details: { uuid: name ?? "" },
      };
    },
    async open(context: OpenContext<unknown>) {
      const name = await nameOn(context);
      return [
        {
          name,
          layer: tailOf(context.lowers[0]!.layer),
          state: "clean",
          details: { count: context.lowers.length },
        },
      ];
    },
    ...parts,
  });
}

/** What the first lower of a test's format calls itself. */
export async function nameOn({ lowers, environment: own }: OpenContext<unknown>): Promise<string> {
  const bytes = await readBytes(lowers[0]!.layer, own, 0, 64);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))).split(":")[2] ?? "";
}

/** All but the first 512 bytes. */
export function tailOf(layer: Layer): Layer {
  return new WindowLayer(layer, "tail", { start: 512, length: layer.limits.size - 512 });
}

/** Writes a text into a disk of `disk`. */
export function put(memory: MemoryLayer, offset: number, text: string): MemoryLayer {
  memory.bytes.set(new TextEncoder().encode(text), offset);
  return memory;
}

/** The code of what a promise rejects with, and its line. */
export async function failureOf(promise: Promise<unknown>): Promise<{ code: string; line: string }> {
  try {
    await promise;
  } catch (error) {
    return { code: isCevError(error) ? error.code : "none", line: formatError(error) };
  }
  throw new Error("it did not fail");
}

/** `expect.stringMatching`, with a type. */
export function matching(words: RegExp): unknown {
  return expect.stringMatching(words) as unknown;
}
