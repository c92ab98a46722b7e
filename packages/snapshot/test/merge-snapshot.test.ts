import { Device, environmentFrom } from "@cev/core";
import type { Layer, NamedLayer, OpenedDevice } from "@cev/core";
import { CutRecorder, MemoryLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { mergeSnapshot, readStore } from "../src/index.ts";
import type { MergeProgress } from "../src/index.ts";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);

interface Scene {
  readonly name: string;
  readonly originSize: number;
  readonly chunkSize: number;
  readonly otherChunkSize: number;
}

const SCENES: readonly Scene[] = [
  { name: "several areas", originSize: 60 * KIB, chunkSize: 512, otherChunkSize: 4 * KIB },
  {
    name: "an origin that ends within a chunk",
    originSize: 58 * KIB,
    chunkSize: 4 * KIB,
    otherChunkSize: 1 * KIB,
  },
];

const STORE_SIZE = 160 * KIB;
const settings = ({ chunkSize, otherChunkSize }: Scene, isMerging: boolean): unknown => ({
  snapshots: [
    { name: "own", chunkSize, isMerging },
    { name: "other", chunkSize: otherChunkSize },
  ],
});

/** An origin with two snapshots that have been written, and what each of the three shows. */
async function prepare(
  scene: Scene,
  seed: number,
): Promise<{ images: Uint8Array[]; own: Uint8Array; other: Uint8Array }> {
  const random = new Random(seed);
  const contents = random.bytes(scene.originSize);
  const disks = [
    new MemoryLayer(environment, { size: scene.originSize, contents }),
    new MemoryLayer(environment, { size: STORE_SIZE }),
    new MemoryLayer(environment, { size: STORE_SIZE }),
  ];
  const [origin, ...stores] = disks;
  const opened = await openSnapshots({
    environment,
    origin: origin!,
    stores,
    options: settings(scene, false),
  });
  const devices = await openAll(opened);
  for (let count = 0; count < 24; count++) {
    const device = random.pick(devices);
    const length = random.between(1, 3000);
    await device.write(random.below(device.size - length), random.bytes(length));
  }
  const [, own, other] = await Promise.all(devices.map((device) => device.read(0, device.size)));
  for (const device of devices) await device.close();
  return { images: disks.map(({ bytes }) => bytes.slice()), own: own!, other: other! };
}

async function openAll(opened: readonly OpenedDevice[]): Promise<Device[]> {
  const devices: Device[] = [];
  for (const { layer } of opened) devices.push(await Device.open(layer, environment));
  return devices;
}

const disksOf = (images: readonly Uint8Array[]): MemoryLayer[] =>
  images.map((contents) => new MemoryLayer(environment, { size: contents.length, contents }));

const named = (layer: Layer, name: string): NamedLayer => ({ name, layer });

async function merge(
  scene: Scene,
  [origin, store, other]: readonly Layer[],
  extra: { readonly signal?: AbortSignal; readonly onProgress?: (progress: MergeProgress) => void } = {},
): Promise<{ readonly mergedBytes: number }> {
  return mergeSnapshot({
    environment,
    origin: named(origin!, "origin.img"),
    store: named(store!, "own.img"),
    chunkSize: scene.chunkSize,
    others: [{ name: "other", store: named(other!, "other.img"), chunkSize: scene.otherChunkSize }],
    ...extra,
  });
}

/** What origin and other snapshot show; the origin as one that is being merged into. */
async function look(
  scene: Scene,
  disks: readonly Layer[],
): Promise<{ origin: Uint8Array; other: Uint8Array }> {
  const [origin, ...stores] = disks;
  const opened = await openSnapshots({
    environment,
    origin: origin!,
    stores,
    options: settings(scene, true),
    isReadOnly: true,
  });
  expect(opened.map(({ state }) => state)).toEqual(["merging", "merging", "valid"]);
  const devices = await openAll([opened[0]!, opened[2]!]);
  const [first, second] = await Promise.all(devices.map((device) => device.read(0, device.size)));
  for (const device of devices) await device.close();
  return { origin: first!, other: second! };
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

async function exceptionCount(disk: MemoryLayer, origin: MemoryLayer, chunkSize: number): Promise<number> {
  const contents = await readStore({ environment, source: "own.img", store: disk, origin, chunkSize });
  return contents.table.size;
}

describe.each(SCENES)("$name", (scene) => {
  test("the origin ends up with what the snapshot held, the store empty, and other snapshots as they were", async () => {
    const { images, own, other } = await prepare(scene, 1);
    const disks = disksOf(images);
    const count = await exceptionCount(disks[1]!, disks[0]!, scene.chunkSize);
    const seen: MergeProgress[] = [];
    const result = await merge(scene, disks, { onProgress: (progress) => void seen.push(progress) });
    expect(result.mergedBytes).toBe(count * scene.chunkSize);
    expect(seen.at(-1)).toEqual({ mergedBytes: result.mergedBytes, totalBytes: result.mergedBytes });
    expect(isSame(disks[0]!.bytes, own)).toBe(true);
    expect(isSame((await look(scene, disks)).other, other)).toBe(true);
    expect(await exceptionCount(disks[1]!, disks[0]!, scene.chunkSize)).toBe(0);
    expect(await merge(scene, disks)).toEqual({ mergedBytes: 0 });
  });

  test.each([1, 2])(
    "whenever the power goes, the origin shows the snapshot, and the merge can go on, seed %i",
    async (seed) => {
      const random = new Random(seed);
      const { images, own, other } = await prepare(scene, seed);
      const disks = images.map(
        (contents) => new PowerCutLayer(environment, { size: contents.length, contents }),
      );
      const recorder = new CutRecorder(disks, { random, policies: ["sectors"], context: () => null });
      await merge(scene, disks);
      recorder.record();
      recorder.stop();
      expect(recorder.states.length).toBeGreaterThan(10);
      for (const state of recorder.states) {
        const left = disksOf(state.images);
        const seen = await look(scene, left);
        expect(isSame(seen.origin, own)).toBe(true);
        expect(isSame(seen.other, other)).toBe(true);
        await merge(scene, left);
        expect(isSame(left[0]!.bytes, own)).toBe(true);
        expect(isSame((await look(scene, left)).other, other)).toBe(true);
      }
    },
  );

  test("an origin that is being merged into takes writes, and keeps them through the rest of the merge", async () => {
    const { images, own, other } = await prepare(scene, 5);
    const disks = disksOf(images);
    const [origin, ...stores] = disks;
    const opened = await openSnapshots({
      environment,
      origin: origin!,
      stores,
      options: settings(scene, true),
    });
    const device = await Device.open(opened[0]!.layer, environment);
    const random = new Random(9);
    for (let count = 0; count < 30; count++) {
      const data = random.bytes(random.between(1, 5000));
      const offset = random.below(device.size - data.length);
      await device.write(offset, data);
      own.set(data, offset);
      expect(isSame(await device.read(0, device.size), own)).toBe(true);
    }
    await expect(device.discard(0, 4096)).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
    await device.close();
    await merge(scene, disks);
    expect(isSame(disks[0]!.bytes, own)).toBe(true);
    expect(isSame((await look(scene, disks)).other, other)).toBe(true);
  });
});

describe("a merge", () => {
  test("that is stopped goes on where it was", async () => {
    const scene: Scene = {
      name: "",
      originSize: 16 * 1024 * KIB,
      chunkSize: 4 * KIB,
      otherChunkSize: 64 * KIB,
    };
    const disks = [
      new MemoryLayer(environment, { size: scene.originSize }),
      new MemoryLayer(environment, { size: 20 * 1024 * KIB }),
      new MemoryLayer(environment, { size: 20 * 1024 * KIB }),
    ];
    const [origin, ...stores] = disks;
    const opened = await openSnapshots({
      environment,
      origin: origin!,
      stores,
      options: settings(scene, false),
    });
    const device = await Device.open(opened[1]!.layer, environment);
    const wanted = new Random(3).bytes(scene.originSize);
    await device.write(0, wanted);
    await device.close();
    const controller = new AbortController();
    const seen: number[] = [];
    const stopped = merge(scene, disks, {
      signal: controller.signal,
      onProgress: ({ mergedBytes }) => {
        seen.push(mergedBytes);
        controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "CEV_CANCELLED" });
    expect(seen).toHaveLength(1);
    expect(disks.every(({ claims }) => claims.count === 0)).toBe(true);
    expect(isSame((await look(scene, disks)).origin, wanted)).toBe(true);
    const { mergedBytes } = await merge(scene, disks);
    expect(mergedBytes).toBe(scene.originSize - seen[0]!);
    expect(isSame(origin!.bytes, wanted)).toBe(true);
  });

  test("of an invalid snapshot, or beside a damaged one, is refused before anything is written", async () => {
    const scene = SCENES[0]!;
    const { images } = await prepare(scene, 1);
    for (const [index, at, code] of [
      [1, 4, "CEV_DEVICE_LOST"],
      [1, 12, "CEV_BAD_METADATA"],
      [2, 12, "CEV_BAD_METADATA"],
    ] as const) {
      const changed = images.map((image) => image.slice());
      changed[index]![at] = at === 4 ? 0 : 3;
      const disks = disksOf(changed);
      await expect(merge(scene, disks)).rejects.toMatchObject({ code });
      expect(disks.map(({ bytes }, disk) => isSame(bytes, changed[disk]!))).toEqual([true, true, true]);
    }
  });
});

test("behind a write that a power cut tore, nothing that was merged comes back when the merge ends", async () => {
  const chunkSize = 4 * KIB;
  const scene: Scene = { name: "torn", originSize: 60 * KIB, chunkSize, otherChunkSize: chunkSize };
  const { images, own } = await prepare(scene, 1);
  // The last entry of the first area, in a sector of its own: what is before it in that area is blank.
  images[1]!.fill(0xa5, 2 * chunkSize - 16, 2 * chunkSize);
  const disks = disksOf(images);
  expect(await exceptionCount(disks[1]!, disks[0]!, chunkSize)).toBeGreaterThan(0);
  await merge(scene, disks);
  expect(isSame(disks[0]!.bytes, own)).toBe(true);
  expect(await exceptionCount(disks[1]!, disks[0]!, chunkSize)).toBe(0);
});
