import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Problem } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { encodeHeader, snapshotDriver } from "../src/index.ts";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);

function disk(size: number, contents?: Uint8Array): MemoryLayer {
  return new MemoryLayer(environment, { size, ...(contents === undefined ? {} : { contents }) });
}

function headerOnly(isValid: boolean): Uint8Array {
  const bytes = new Uint8Array(64 * KIB);
  bytes.set(encodeHeader({ isValid, chunkSize: 4 * KIB }));
  return bytes;
}

describe("without options", () => {
  test("one store is a snapshot of all of the origin, new ones in chunks of 16 KiB", async () => {
    const origin = disk(100 * KIB, new Random(1).bytes(100 * KIB));
    const opened = await openSnapshots({ environment, origin, stores: [disk(256 * KIB)] });
    expect(opened.map(({ name, state }) => [name, state])).toEqual([
      ["origin", "active"],
      ["snapshot", "valid"],
    ]);
    expect(opened[1]!.details).toEqual({
      store: "store0.img",
      chunkSize: 16 * KIB,
      size: 100 * KIB,
      chunks: 0,
      allocated: 32 * KIB,
      total: 256 * KIB,
      metadata: 32 * KIB,
      percentFull: 12.5,
    });
  });

  test("several stores are numbered, and each counts by its own chunks", async () => {
    const opened = await openSnapshots({
      environment,
      origin: disk(100 * KIB),
      stores: [disk(64 * KIB, headerOnly(true)), disk(64 * KIB)],
    });
    expect(opened.map(({ name, details }) => [name, details["chunkSize"]])).toEqual([
      ["origin", undefined],
      ["snapshot0", 4 * KIB],
      ["snapshot1", 16 * KIB],
    ]);
  });
});

test("what the store says of its chunks counts more than the options, and is told", async () => {
  const problems: Problem[] = [];
  const opened = await openSnapshots({
    environment,
    origin: disk(100 * KIB),
    stores: [disk(64 * KIB, headerOnly(true))],
    options: { snapshots: [{ name: "a", chunkSize: 8 * KIB }] },
    problems,
  });
  expect(opened[1]!.details["chunkSize"]).toBe(4 * KIB);
  expect(problems).toMatchObject([{ severity: "warning", code: "CEV_INVALID", device: "a" }]);
});

test("opened read-only, nothing is written, not even to a new store", async () => {
  const origin = disk(64 * KIB, new Random(1).bytes(64 * KIB));
  const store = disk(64 * KIB);
  const opened = await openSnapshots({ environment, origin, stores: [store], isReadOnly: true });
  for (const { layer } of opened) {
    const device = await Device.open(layer, environment);
    expect(await device.read(0, device.size)).toEqual(origin.bytes);
    await expect(device.write(0, new Uint8Array(1))).rejects.toMatchObject({ code: "CEV_READ_ONLY" });
    await device.close();
  }
  expect(store.log.every(({ op }) => op === 0)).toBe(true);
});

test("a new store is made when its layer is opened for writing, not before", async () => {
  const store = disk(64 * KIB, new Uint8Array(64 * KIB).fill(0xee).fill(0, 0, 4 * KIB));
  const opened = await openSnapshots({
    environment,
    origin: disk(64 * KIB),
    stores: [store],
    options: { snapshots: [{ name: "a", chunkSize: 8 * KIB }] },
  });
  expect(store.bytes[0]).toBe(0);
  const device = await Device.open(opened[1]!.layer, environment);
  expect(store.bytes.subarray(0, 16)).toEqual(
    encodeHeader({ isValid: true, chunkSize: 8 * KIB }).subarray(0, 16),
  );
  expect(store.bytes.subarray(16, 16 * KIB).every((byte) => byte === 0)).toBe(true);
  expect(store.bytes[16 * KIB]).toBe(0xee);
  await device.close();
});

test("the layers survive being opened, closed and opened again, in any order", async () => {
  const opened = await openSnapshots({ environment, origin: disk(64 * KIB), stores: [disk(64 * KIB)] });
  for (const order of [[0, 1], [1, 0], [1], [0]]) {
    for (const index of order) await openTree(opened[index]!.layer);
    for (const index of order) await closeTree(opened[index]!.layer);
  }
  const device = await Device.open(opened[1]!.layer, environment);
  await device.write(0, new Uint8Array(100).fill(3));
  await device.close();
  const again = await Device.open(opened[1]!.layer, environment);
  expect((await again.read(0, 100))[99]).toBe(3);
  await again.close();
});

test("origin and snapshots share what they stand on, and keep others off", async () => {
  const origin = disk(64 * KIB);
  const stores = [disk(64 * KIB), disk(64 * KIB)];
  const opened = await openSnapshots({ environment, origin, stores });
  const devices = [];
  for (const { layer } of opened) devices.push(await Device.open(layer, environment));
  for (const lower of [origin, ...stores])
    expect(() => lower.claims.acquire({ name: "somebody" }, "write", "disk")).toThrow(
      expect.objectContaining({ code: "CEV_BUSY" }),
    );
  const others = await openSnapshots({ environment, origin, stores: [disk(64 * KIB)] });
  await expect(Device.open(others[0]!.layer, environment)).rejects.toMatchObject({ code: "CEV_BUSY" });
  for (const device of devices.reverse()) await device.close();
  expect(origin.claims.count).toBe(0);
});

describe("a snapshot that is of no use keeps its place and says why", () => {
  test("invalid: the origin and the others work", async () => {
    const problems: Problem[] = [];
    const origin = disk(64 * KIB);
    const opened = await openSnapshots({
      environment,
      origin,
      stores: [disk(64 * KIB, headerOnly(false)), disk(64 * KIB)],
      problems,
    });
    expect(opened.map(({ state }) => state)).toEqual(["active", "invalid", "valid"]);
    expect(problems).toMatchObject([{ code: "CEV_DEVICE_LOST", device: "snapshot0" }]);
    await expect(Device.open(opened[1]!.layer, environment)).rejects.toMatchObject({
      code: "CEV_DEVICE_LOST",
    });
    const device = await Device.open(opened[0]!.layer, environment);
    await device.write(0, new Uint8Array(100).fill(1));
    await device.close();
    expect(origin.bytes[50]).toBe(1);
  });

  test("damaged: the origin is read-only, the others can be written", async () => {
    const problems: Problem[] = [];
    const damaged = headerOnly(true);
    damaged[12] = 7;
    const opened = await openSnapshots({
      environment,
      origin: disk(64 * KIB),
      stores: [disk(64 * KIB, damaged), disk(64 * KIB)],
      problems,
    });
    expect(opened.map(({ state }) => state)).toEqual(["active", "damaged", "valid"]);
    expect(problems.map(({ code }) => code)).toEqual(["CEV_BAD_METADATA", "CEV_READ_ONLY"]);
    await expect(Device.open(opened[1]!.layer, environment)).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
    });
    const origin = await Device.open(opened[0]!.layer, environment);
    await expect(origin.write(0, new Uint8Array(100))).rejects.toMatchObject({ code: "CEV_READ_ONLY" });
    await origin.close();
    const other = await Device.open(opened[2]!.layer, environment);
    await other.write(0, new Uint8Array(100).fill(5));
    expect((await other.read(0, 100))[0]).toBe(5);
    await other.close();
  });

  test("damaged while it is being merged: nothing opens, since the origin cannot be told", async () => {
    const damaged = headerOnly(true);
    damaged[8] = 9;
    await expect(
      openSnapshots({
        environment,
        origin: disk(64 * KIB),
        stores: [disk(64 * KIB, damaged)],
        options: { snapshots: [{ name: "a", isMerging: true }] },
      }),
    ).rejects.toMatchObject({ code: "CEV_UNKNOWN_FEATURE" });
  });
});

test("with a store that cannot be written the origin is read-only, and that is said", async () => {
  const problems: Problem[] = [];
  const store = new MemoryLayer(environment, { size: 64 * KIB, support: { write: "none" } });
  const opened = await openSnapshots({ environment, origin: disk(64 * KIB), stores: [store], problems });
  expect(opened.map(({ layer }) => layer.support.write)).toEqual(["none", "none"]);
  expect(problems).toMatchObject([{ code: "CEV_READ_ONLY", device: "origin" }]);
});

test("a store that was changed since it was looked at is not opened", async () => {
  const store = disk(64 * KIB, headerOnly(true));
  const opened = await openSnapshots({ environment, origin: disk(64 * KIB), stores: [store] });
  store.bytes[12] = 16;
  await expect(Device.open(opened[0]!.layer, environment)).rejects.toMatchObject({ code: "CEV_BUSY" });
  expect(store.claims.count).toBe(0);
});

describe("options that make no sense are refused", () => {
  const validate = snapshotDriver.options["~standard"].validate;
  test.each([
    ["something else than an object", 7, []],
    ["an unknown option", { stores: 1 }, ["stores"]],
    ["no snapshot", { snapshots: [] }, ["snapshots"]],
    ["a snapshot without a name", { snapshots: [{}] }, ["snapshots", 0, "name"]],
    ["a name with a slash", { snapshots: [{ name: "a/b" }] }, ["snapshots", 0, "name"]],
    ["two of one name", { snapshots: [{ name: "a" }, { name: "a" }] }, ["snapshots", 1, "name"]],
    ["chunks of 5000 bytes", { snapshots: [{ name: "a", chunkSize: 5000 }] }, ["snapshots", 0, "chunkSize"]],
    ["half a byte", { snapshots: [{ name: "a", size: 0.5 }] }, ["snapshots", 0, "size"]],
    ["an unknown setting", { snapshots: [{ name: "a", colour: 1 }] }, ["snapshots", 0, "colour"]],
    ["isMerging as text", { snapshots: [{ name: "a", isMerging: "yes" }] }, ["snapshots", 0, "isMerging"]],
    [
      "two that are merged",
      {
        snapshots: [
          { name: "a", isMerging: true },
          { name: "b", isMerging: true },
        ],
      },
      ["snapshots", 1, "isMerging"],
    ],
  ])("%s", async (_what, options, path) => {
    const result = await validate(options);
    expect(result.issues?.map((issue) => issue.path ?? [])).toEqual([path]);
  });

  test.each([
    ["fewer snapshots than stores", [{ name: "a" }], 2],
    ["more than the origin has", [{ name: "a", size: 65 * KIB }], 1],
    ["chunks larger than any buffer", [{ name: "a", chunkSize: 2 ** 30 }], 1],
  ])("%s", async (_what, snapshots, storeCount) => {
    const stores = Array.from({ length: storeCount }, () => disk(64 * KIB));
    await expect(
      openSnapshots({ environment, origin: disk(64 * KIB), stores, options: { snapshots } }),
    ).rejects.toMatchObject({ code: "CEV_INVALID" });
  });
});
