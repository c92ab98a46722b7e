import { Io, IoFlag, Op, closeTree, openTree, readBytes, request } from "@cev/core";
import type { CevError, Layer, Problem } from "@cev/core";
import { FaultLayer, PowerCutLayer, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { BITS_OFFSET, decodeMirrorLog, encodeMirrorLog, hasBit } from "../src/volumes/mirror/log-format.ts";
import { MirrorLayer } from "../src/volumes/mirror/mirror-layer.ts";
import type { MirrorOptions } from "../src/volumes/mirror/mirror-layer.ts";
import { DelayingLayer } from "./support/delaying-layer.ts";
import { ImageLayer } from "./support/image-layer.ts";
import { environment } from "./support/open.ts";

const REGION = 4096;
const REGION_COUNT = 10;
const SIZE = REGION * REGION_COUNT;
const PLACE = { source: "log", structure: "mirror log", byteOffset: 0 };

/** A log that calls some regions clean. */
function logOf(clean: readonly number[], regionCount = REGION_COUNT): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(encodeMirrorLog({ regionCount }));
  for (const region of clean) bytes[BITS_OFFSET + (region >>> 3)]! |= 1 << (region & 7);
  return bytes;
}

const ALL = Array.from({ length: REGION_COUNT }, (_, region) => region);

function cleanRegions(log: Uint8Array): number[] {
  return ALL.filter((region) => hasBit(log.subarray(BITS_OFFSET), region));
}

interface Made {
  readonly images: DelayingLayer[];
  readonly log: DelayingLayer;
  readonly problems: Problem[];
  readonly mirror: MirrorLayer;
}

/** A mirror whose images hold 1, 2… everywhere, so that one can see what is read from which. */
function make(clean: readonly number[], options: Partial<MirrorOptions> = {}): Made {
  const images = [1, 2].map(
    (value) => new DelayingLayer(`image${value - 1}`, new Uint8Array(SIZE).fill(value)),
  );
  const log = new DelayingLayer("log", logOf(clean));
  const problems: Problem[] = [];
  const mirror = new MirrorLayer({
    name: "vg0/root",
    environment,
    size: SIZE,
    regionSize: REGION,
    images,
    log,
    isLogMissing: false,
    isReadOnly: false,
    report: (problem) => problems.push(problem),
    ...options,
  });
  return { images, log, problems, mirror };
}

function ioOf(op: Op, offset: number, length: number, data: Uint8Array | null = null): Io {
  return new Io(environment.runQueue).prepare(op, offset, length, data);
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (error as CevError).code,
  );
}

const write = (mirror: Layer, offset: number, value: number, length = 512): Promise<void> =>
  request(mirror, environment, Op.write, offset, length, new Uint8Array(length).fill(value));

describe("the log on disk", () => {
  test("is taken as the kernel wrote it, and every region it does not speak of is dirty", () => {
    const bytes = new Uint8Array(512);
    bytes.set([0x72, 0x52, 0x69, 0x4d, 2, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0]);
    expect(decodeMirrorLog(bytes, PLACE)).toEqual({ regionCount: 10 });
    expect(encodeMirrorLog({ regionCount: 10 })).toEqual(bytes.subarray(0, 16));
    expect(decodeMirrorLog(new Uint8Array(512), PLACE)).toBeNull();
    bytes[4] = 3;
    expect(() => decodeMirrorLog(bytes, PLACE)).toThrow(
      expect.objectContaining({ code: "CEV_UNKNOWN_FEATURE" }) as Error,
    );
  });

  test("of a smaller mirror leaves what was added to be copied", async () => {
    const { mirror, log, images } = make([0], { log: new ImageLayer("log", logOf(ALL, 8)) });
    await openTree(mirror);
    await mirror.idle();
    await closeTree(mirror);
    expect(images[1]!.bytes.subarray(0, 8 * REGION).every((byte) => byte === 2)).toBe(true);
    expect(images[1]!.bytes.subarray(8 * REGION).every((byte) => byte === 1)).toBe(true);
    expect(log.writeCount).toBe(0);
  });

  test("that is too small for its regions is refused", async () => {
    const { mirror } = make([], { log: new ImageLayer("log", new Uint8Array(1024)) });
    await expect(openTree(mirror)).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
    expect(mirror.lowers.map(({ claims }) => claims.count)).toEqual([0, 0, 0]);
  });
});

describe("opening for writing", () => {
  test("copies the regions that are not clean from the first image, and calls them clean", async () => {
    const { mirror, images, log } = make([0, 1, 2, 5, 6, 7, 8, 9]);
    await openTree(mirror);
    await mirror.idle();
    await closeTree(mirror);
    const copied = ALL.filter((region) => images[1]!.bytes[region * REGION] === 1);
    expect(copied).toEqual([3, 4]);
    expect(cleanRegions(log.bytes)).toEqual(ALL);
    expect(images[0]!.writeCount).toBe(0);
  });

  test("copies everything where the log was kept in memory", async () => {
    const { mirror, images } = make([], { log: null });
    await openTree(mirror);
    await mirror.idle();
    await closeTree(mirror);
    expect(images[1]!.bytes).toEqual(images[0]!.bytes);
  });

  test("read-only it writes nothing and copies nothing", async () => {
    const { mirror, images, log } = make([1], { isReadOnly: true });
    await openTree(mirror);
    await mirror.idle();
    expect((await readBytes(mirror, environment, 0, SIZE)).every((byte) => byte === 1)).toBe(true);
    await closeTree(mirror);
    expect([...images, log].map(({ writeCount }) => writeCount)).toEqual([0, 0, 0]);
  });

  test("what cannot be copied ends that, is reported, and stays dirty", async () => {
    const { mirror, images, log, problems } = make([0]);
    const broken = images[1]!;
    broken.isDelaying = true;
    await openTree(mirror);
    while (broken.held.length === 0) await Promise.resolve();
    broken.finish(broken.held[0]!, "CEV_DEVICE_LOST");
    await mirror.idle();
    expect(mirror.isWhole).toBe(false);
    await closeTree(mirror);
    expect(problems.map(({ code }) => code)).toContain("CEV_DEVICE_LOST");
    expect(cleanRegions(log.bytes)).toEqual([0]);
  });
});

describe("a write", () => {
  test("reaches an image only after the log on disk has its regions as dirty", async () => {
    const { mirror, images, log } = make(ALL);
    await openTree(mirror);
    log.isDelaying = true;
    const io = ioOf(Op.write, REGION - 512, 1024, new Uint8Array(1024).fill(9));
    mirror.submit(io);
    expect(log.held).toHaveLength(1);
    expect(log.held[0]!.flags).toBe(IoFlag.fua);
    expect(images.map(({ writeCount }) => writeCount)).toEqual([0, 0]);
    const done = io.promise();
    log.finish(log.held[0]!);
    await done;
    expect(cleanRegions(log.bytes)).toEqual(ALL.slice(2));
    expect(images.map(({ bytes }) => bytes[REGION])).toEqual([9, 9]);
    // Dirty already: the log is not asked again.
    await write(mirror, 0, 8);
    expect(log.held).toHaveLength(0);
    log.isDelaying = false;
    await closeTree(mirror);
    expect(cleanRegions(log.bytes)).toEqual(ALL);
  });

  test("whose region cannot be called dirty fails, and no image is touched", async () => {
    const { mirror, images, log } = make(ALL);
    await openTree(mirror);
    log.isDelaying = true;
    const io = ioOf(Op.write, 0, 512, new Uint8Array(512));
    const done = io.promise();
    mirror.submit(io);
    log.finish(log.held[0]!, "CEV_IO");
    await expect(done).rejects.toMatchObject({ code: "CEV_IO" });
    expect(images.map(({ writeCount }) => writeCount)).toEqual([0, 0]);
    log.isDelaying = false;
    await write(mirror, 0, 5);
    expect(images.map(({ bytes }) => bytes[0])).toEqual([5, 5]);
    await closeTree(mirror);
  });

  test("that the second image does not take succeeds, and its region stays dirty for good", async () => {
    const { mirror, images, log, problems } = make(ALL);
    await openTree(mirror);
    images[1]!.isDelaying = true;
    const done = write(mirror, 0, 7);
    while (images[1]!.held.length === 0) await Promise.resolve();
    images[1]!.finish(images[1]!.held[0]!, "CEV_MEDIUM");
    await done;
    images[1]!.isDelaying = false;
    // Left out from now on, also where it could be written again.
    await write(mirror, 3 * REGION, 7);
    expect(images[1]!.bytes[3 * REGION]).toBe(2);
    expect((await readBytes(mirror, environment, 0, 512))[0]).toBe(7);
    await closeTree(mirror);
    expect(problems.map(({ code }) => code)).toEqual(["CEV_MEDIUM"]);
    expect(cleanRegions(log.bytes)).toEqual([1, 2, 4, 5, 6, 7, 8, 9]);
    // Opened again, it gets what it missed.
    await openTree(mirror);
    await mirror.idle();
    await closeTree(mirror);
    expect([0, 3].map((region) => images[1]!.bytes[region * REGION])).toEqual([7, 7]);
    expect(cleanRegions(log.bytes)).toEqual(ALL);
  });

  test("that the first image does not take fails, and the first image goes on to be what counts", async () => {
    const { mirror, images, log } = make(ALL);
    await openTree(mirror);
    images[0]!.isDelaying = true;
    const done = write(mirror, 0, 7);
    while (images[0]!.held.length === 0) await Promise.resolve();
    images[0]!.finish(images[0]!.held[0]!, "CEV_MEDIUM");
    images[0]!.isDelaying = false;
    await expect(done).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    expect((await readBytes(mirror, environment, 0, 512))[0]).toBe(1);
    await mirror.idle();
    expect(images[1]!.bytes[0]).toBe(1);
    await closeTree(mirror);
    expect(cleanRegions(log.bytes)).toEqual(ALL);
  });

  test("waits for one that it overlaps, so that both images end with the same", async () => {
    const { mirror, images } = make(ALL);
    await openTree(mirror);
    for (const image of images) image.isDelaying = true;
    const first = write(mirror, 0, 7, 1024);
    const second = write(mirror, 512, 8, 1024);
    while (images[1]!.held.length === 0) await Promise.resolve();
    expect(images.map(({ held }) => held.length)).toEqual([1, 1]);
    for (const image of images) image.isDelaying = false;
    for (const image of images) image.finish(image.held[0]!);
    await Promise.all([first, second]);
    expect(images[0]!.bytes.subarray(0, 1536)).toEqual(images[1]!.bytes.subarray(0, 1536));
    await closeTree(mirror);
  });

  test("of zeroes and a discard leave the same on all images", async () => {
    const { mirror, images } = make(ALL);
    await openTree(mirror);
    await request(mirror, environment, Op.writeZeroes, 0, 512);
    await request(mirror, environment, Op.discard, 512, 512);
    expect(images.map(({ bytes }) => bytes.subarray(0, 1024).every((byte) => byte === 0))).toEqual([
      true,
      true,
    ]);
    await closeTree(mirror);
  });
});

describe("closing", () => {
  test("waits for what is being called clean, and leaves nothing to be done later", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const { mirror, images, log } = make(ALL, { environment: world.environment });
    await world.drive(openTree(mirror));
    await world.drive(write(mirror, 0, 7));
    images[0]!.isDelaying = true;
    // The time has come to call the region clean: the flush before that hangs.
    while (images[0]!.held.length === 0) {
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
      world.step();
    }
    images[0]!.isDelaying = false;
    await write(mirror, REGION, 7);
    const closing = closeTree(mirror);
    images[0]!.finish(images[0]!.held[0]!);
    await world.drive(closing);
    expect(world.isIdle).toBe(true);
    expect(cleanRegions(log.bytes)).toEqual(ALL);
  });
});

describe("a read that the first image fails", () => {
  async function readBroken(clean: readonly number[], offset: number): Promise<[string, Uint8Array]> {
    const { mirror, images } = make(clean, { isReadOnly: true });
    await openTree(mirror);
    images[0]!.isDelaying = true;
    const data = new Uint8Array(1024);
    const io = ioOf(Op.read, offset, 1024, data);
    mirror.submit(io);
    const done = failureOf(io.promise());
    images[0]!.finish(images[0]!.held[0]!, "CEV_MEDIUM");
    const code = await done;
    await closeTree(mirror);
    return [code, data];
  }

  test("is answered by another one that holds the same", async () => {
    const [code, data] = await readBroken([0, 1], REGION - 512);
    expect([code, data.every((byte) => byte === 2)]).toEqual(["none", true]);
  });

  test("fails where one of its regions is not known to be the same", async () => {
    const [code] = await readBroken([0], REGION - 512);
    expect(code).toBe("CEV_MEDIUM");
  });
});

describe("a mirror that lacks a part", () => {
  test("without the first image is read-only, and answers only where the log says that the others hold the same", async () => {
    const second = new ImageLayer("image1", new Uint8Array(SIZE).fill(2));
    const { mirror } = make([0, 1], { images: [null, second] });
    expect(mirror.support.write).toBe("none");
    await openTree(mirror);
    expect((await readBytes(mirror, environment, 0, 2 * REGION)).every((byte) => byte === 2)).toBe(true);
    expect(await failureOf(readBytes(mirror, environment, REGION, 2 * REGION))).toBe("CEV_DEGRADED");
    await closeTree(mirror);
    expect(second.writeCount).toBe(0);
  });

  test("without the first image answers everywhere where that is forced, and is still read-only", async () => {
    const second = new ImageLayer("image1", new Uint8Array(SIZE).fill(2));
    const { mirror } = make([], { images: [null, second], isForced: true });
    expect(mirror.support.write).toBe("none");
    await openTree(mirror);
    expect((await readBytes(mirror, environment, 0, SIZE)).every((byte) => byte === 2)).toBe(true);
    await closeTree(mirror);
  });

  test("without another image is written, and calls nothing of that clean", async () => {
    const first = new ImageLayer("image0", new Uint8Array(SIZE).fill(1));
    const { mirror, log } = make(ALL, { images: [first, null] });
    await openTree(mirror);
    await write(mirror, 0, 9);
    await closeTree(mirror);
    expect(first.bytes[0]).toBe(9);
    expect(cleanRegions(log.bytes)).toEqual(ALL.slice(1));
  });

  test("without its log is read from the first image alone", async () => {
    const { mirror, images } = make([], { log: null, isLogMissing: true });
    expect(mirror.support.write).toBe("none");
    await openTree(mirror);
    images[0]!.isDelaying = true;
    const io = ioOf(Op.read, 0, 512, new Uint8Array(512));
    mirror.submit(io);
    images[0]!.finish(images[0]!.held[0]!, "CEV_MEDIUM");
    expect(io.error).toMatchObject({ code: "CEV_MEDIUM" });
    images[0]!.isDelaying = false;
    await closeTree(mirror);
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "after a power cut all images hold the same wherever the log says so (seed %i)",
  async (seed) => {
    const world = new SimulatedWorld({ seed });
    const { environment: simulated, random } = world;
    const disks = [SIZE, SIZE, SIZE, 4096].map(
      (size, index) =>
        new PowerCutLayer(simulated, {
          size,
          completion: "later",
          ...(index === 3 ? { contents: logOf([]) } : { contents: new Uint8Array(SIZE).fill(index) }),
        }),
    );
    const faults = disks.map((disk) => new FaultLayer(disk, simulated));
    const mirror = new MirrorLayer({
      name: "vg0/root",
      environment: simulated,
      size: SIZE,
      regionSize: REGION,
      images: faults.slice(0, 3),
      log: faults[3]!,
      isLogMissing: false,
      isReadOnly: false,
      report: () => undefined,
    });
    await world.drive(openTree(mirror));
    for (let count = 0; count < 60; count++) {
      const blocks = 1 + random.below(12);
      const offset = random.below(SIZE / 512 - blocks) * 512;
      const io = new Io(simulated.runQueue);
      const op = random.below(6) === 0 ? Op.flush : Op.write;
      const length = op === Op.flush ? 0 : blocks * 512;
      io.prepare(op, op === Op.flush ? 0 : offset, length, new Uint8Array(length).fill(10 + count));
      mirror.submit(io);
      for (let turns = random.below(20); turns > 0; turns--) {
        for (let tasks = 0; tasks < 20; tasks++) await Promise.resolve();
        world.step();
      }
    }
    for (const disk of disks) disk.cut(random);
    const [first, ...others] = disks.slice(0, 3).map(({ contents }) => contents);
    const clean = cleanRegions(disks[3]!.contents);
    for (const region of clean) {
      const [from, to] = [region * REGION, (region + 1) * REGION];
      for (const other of others) expect(other.subarray(from, to)).toEqual(first!.subarray(from, to));
    }
  },
);
