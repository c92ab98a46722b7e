/** What was written for an older version of the interface works, or is refused in words. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  readBytes,
  FULL_SUPPORT,
  INTERFACE_VERSIONS,
  environmentFrom,
  interfaceIssue,
  writeBytes,
} from "@cev/core";
import type { Driver, Layer, Support } from "@cev/core";
import { DriverRegistry, openImages, openStack, resolveDriver } from "@cev/stack";
import type { StackDescription } from "@cev/stack";
import { MemoryLayer, reopenWith } from "@cev/test-kit";
import type { TestBench } from "@cev/test-kit";
import { testLayer } from "@cev/test-kit/vitest";
import { afterAll, describe, expect, test } from "vitest";

const SIZE = 65_536;
const HEAD = new TextEncoder().encode("cev-v1");
const fixtures = join(import.meta.dirname, "../fixtures");
const environment = environmentFrom(globalThis);

/** A folder that has the frozen package installed. */
const directory = mkdtempSync(join(tmpdir(), "cev-frozen-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, "node_modules"));
symlinkSync(join(fixtures, "frozen-v1"), join(directory, "node_modules/cev-frozen-v1"));

const find = (name: string): Promise<Driver> => resolveDriver(name, new DriverRegistry([]), directory);
const behind = await find("cev-frozen-v1/behind");
const mask = await find("cev-frozen-v1/mask");

function disk(): MemoryLayer {
  return new MemoryLayer(environment, { size: SIZE, contents: HEAD });
}

const DESCRIPTION: StackDescription = {
  devices: {
    inner: { driver: "cev-frozen-v1/behind", lower: "d0" },
    plain: { driver: "cev-frozen-v1/mask", lower: "inner", mask: 15 },
  },
  exports: { data: "plain" },
};

describe("layers written for version 1 of the interface, and not touched since", () => {
  test("are of a version that is understood, also when there is a newer one", () => {
    for (const { interfaceVersion } of [behind, mask]) {
      expect(interfaceVersion).toBe(1);
      expect(interfaceIssue(interfaceVersion)).toBeNull();
      expect(interfaceIssue(interfaceVersion, { oldest: 1, current: 2 })).toBeNull();
    }
    expect(INTERFACE_VERSIONS.oldest).toBe(1);
  });

  test("open in a stack, and copy what is written through them", async () => {
    const lower = disk();
    await using stack = await openStack(DESCRIPTION, {
      environment,
      drivers: [],
      directory,
      layers: [{ name: "d0", layer: lower }],
    });
    const data = await stack.open("data");
    expect(data.size).toBe(SIZE - 512);
    const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index * 7);
    await data.write(100, bytes, { fua: true });
    expect(await data.read(100, bytes.length)).toEqual(bytes);
    const stored = await readBytes(lower, environment, 512, 8192);
    expect(stored.subarray(100, 100 + bytes.length)).toEqual(bytes.map((byte) => byte ^ 15));
    expect(stack.describe()).toEqual(DESCRIPTION);
  });

  test("are found on a device of which nothing is known", async () => {
    await using stack = await openImages([{ name: "d0", layer: disk() }], { environment, drivers: [behind] });
    expect(stack.devices.map(({ name, driver }) => [name, driver])).toContainEqual([
      "frozen/d0",
      "cev-frozen-v1/behind",
    ]);
  });

  test("check their options", async () => {
    const wrong = { devices: { m: { driver: "cev-frozen-v1/mask", lower: "d0", mask: 256 } } };
    const layers = [{ name: "d0", layer: disk() }];
    await expect(openStack(wrong, { environment, drivers: [], directory, layers })).rejects.toMatchObject({
      code: "CEV_INVALID",
      place: { source: expect.stringContaining("devices.m.mask") as unknown },
    });
  });
});

async function made(driver: Driver, options: unknown, bench: TestBench): Promise<Layer> {
  const lower = bench.lower({ size: SIZE });
  const head = new Uint8Array(512);
  head.set(HEAD);
  if (bench.isFirst) await writeBytes(lower, bench.environment, 0, head, true);
  const [opened] = await driver.open({
    environment: bench.environment,
    options,
    lowers: [{ name: "d0", layer: lower }],
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: ".",
    report: () => undefined,
  });
  return opened!.layer;
}

const MASK_SUPPORT: Support = { ...FULL_SUPPORT, discard: "none", writeZeroes: "none" };

testLayer({
  name: "a frozen layer of actions",
  manifest: { support: FULL_SUPPORT, world: "simulated", reopen: reopenWith(behind) },
  create: (bench) => made(behind, {}, bench),
});

testLayer({
  name: "a frozen layer of async methods",
  // Reads that fail because of a place are tried once more.
  manifest: { support: MASK_SUPPORT, canHideErrors: true, world: "simulated", reopen: reopenWith(mask) },
  create: (bench) => made(mask, { mask: 255 }, bench),
});

test.each([
  ["v0", /cev-v0 was written for version 0 of the driver interface, .* built for a newer @cev\/core/],
  ["v99", /cev-v99 was written for version 99 of the driver interface, .* a newer cev is needed/],
])("a driver of %s is refused in words, and not called", async (version, words) => {
  const name = `./other-versions/${version}.js`;
  const opening = openStack(
    { devices: { x: { driver: name, lower: "d0" } } },
    { environment, drivers: [], directory: fixtures, layers: [{ name: "d0", layer: disk() }] },
  );
  await expect(opening).rejects.toMatchObject({
    code: "CEV_NOT_SUPPORTED",
    message: expect.stringMatching(words) as unknown,
  });
});
