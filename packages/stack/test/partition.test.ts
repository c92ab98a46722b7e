import { fc, test as property } from "@fast-check/vitest";
import { formatError } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { WindowLayer, openImages, openStack, partitionsDriver } from "../src/index.ts";
import type { Stack } from "../src/index.ts";
import { environment, failureOf, matching } from "./helpers.ts";
import { writeGpt, writeMbr } from "./tables.ts";

const SIZE = 1 << 20;
const newDisk = (size = SIZE): Uint8Array => new Uint8Array(size);

function open(contents: Uint8Array, blockSize = 512): Promise<Stack> {
  const layer = new MemoryLayer(environment, { size: contents.length, contents, blockSize });
  return openImages([{ name: "disk", layer }], { environment, drivers: [partitionsDriver] });
}

const shape = (stack: Stack): unknown[] =>
  stack.devices.slice(1).map(({ name, layer, details }) => [name, details["start"], layer?.limits.size]);

describe("an MBR", () => {
  test("has primary and logical partitions, numbered as Linux does", async () => {
    const disk = newDisk();
    writeMbr(disk, [
      { type: 0x83, first: 64, count: 100, status: 0x80 },
      { type: 0x05, first: 200, count: 800 },
      { type: 0, first: 0, count: 0 },
      { type: 0x82, first: 1100, count: 50 },
    ]);
    writeMbr(
      disk,
      [
        { type: 0x83, first: 8, count: 100 },
        { type: 0x05, first: 300, count: 300 },
      ],
      200,
    );
    writeMbr(disk, [{ type: 0x8e, first: 16, count: 200 }], 500);
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([
      ["disk/p1", 64 * 512, 100 * 512],
      ["disk/p4", 1100 * 512, 50 * 512],
      ["disk/p5", 208 * 512, 100 * 512],
      ["disk/p6", 516 * 512, 200 * 512],
    ]);
    expect(stack.problems).toEqual([]);
    expect(stack.find("disk").content).toMatchObject({
      driver: "partitions",
      summary: "MBR with 4 partitions",
    });
  });

  test("whose chain of logical partitions is a circle is followed once", async () => {
    const disk = newDisk();
    writeMbr(disk, [{ type: 0x05, first: 200, count: 800 }]);
    writeMbr(
      disk,
      [
        { type: 0x83, first: 8, count: 100 },
        { type: 0x05, first: 300, count: 300 },
      ],
      200,
    );
    writeMbr(
      disk,
      [
        { type: 0x83, first: 8, count: 100 },
        { type: 0x05, first: 0, count: 300 },
      ],
      500,
    );
    await using stack = await open(disk);
    expect(shape(stack)).toHaveLength(2);
    expect(stack.problems).toMatchObject([
      {
        severity: "error",
        code: "CEV_BAD_METADATA",
        device: "disk",
        message: matching(/circle/),
      },
    ]);
  });

  test.each([
    [
      "passes the end of the disk",
      { type: 0x83, first: 2000, count: 100 },
      /disk, MBR.*at byte 462: partition 2.*ends at byte 1048576/,
    ],
    [
      "overlaps another",
      { type: 0x83, first: 90, count: 100 },
      /at byte 462: partition 2.*overlaps partition 1/,
    ],
  ])("with a partition that %s: the others are there", async (_what, part, words) => {
    const disk = newDisk();
    writeMbr(disk, [{ type: 0x83, first: 64, count: 100 }, part]);
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([["disk/p1", 64 * 512, 100 * 512]]);
    expect(stack.problems[0]).toMatchObject({ severity: "error", message: matching(words) });
  });

  test("is not seen in the boot sector of a file system", async () => {
    const disk = newDisk();
    writeMbr(disk, [{ type: 0x6e, first: 1_919_950_958, count: 544_437_093, status: 0x72 }]);
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([]);
    expect(stack.problems[0]).toMatchObject({ code: "CEV_NOT_FOUND", device: "disk" });
  });

  test("with a wrong bit in a status is read, and that is said", async () => {
    const disk = newDisk();
    writeMbr(disk, [
      { type: 0x83, first: 64, count: 100 },
      { type: 0x83, first: 200, count: 100, status: 0x40 },
    ]);
    await using stack = await open(disk);
    expect(shape(stack)).toHaveLength(2);
    expect(stack.problems).toMatchObject([
      { severity: "warning", message: matching(/^disk, MBR partition table, at byte 462: .*partition 2/) },
    ]);
  });

  test.each([510, 511])("with a wrong bit in its signature, at byte %i, is refused", async (at) => {
    const disk = newDisk();
    writeMbr(disk, [{ type: 0x83, first: 64, count: 100 }]);
    disk[at]! ^= 0x10;
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([]);
    expect(stack.problems).toMatchObject([
      {
        severity: "error",
        code: "CEV_BAD_METADATA",
        message: matching(/^disk, MBR.*signature, at byte 510/),
      },
    ]);
  });

  test("inside a partition is left alone", async () => {
    const disk = newDisk();
    writeMbr(disk, [{ type: 0x83, first: 64, count: 1000 }]);
    writeMbr(disk, [{ type: 0x83, first: 8, count: 100 }], 64);
    await using stack = await open(disk);
    expect(shape(stack)).toHaveLength(1);
  });
});

describe("a GPT", () => {
  const parts = [
    { first: 40, last: 99, label: "boot" },
    { first: 100, last: 299 },
  ];

  test.each([512, 4096])("with blocks of %i bytes", async (blockSize) => {
    const disk = newDisk(4 << 20);
    writeGpt(disk, parts, blockSize);
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([
      ["disk/p1", 40 * blockSize, 60 * blockSize],
      ["disk/p2", 100 * blockSize, 200 * blockSize],
    ]);
    expect(stack.devices[1]?.details).toMatchObject({ label: "boot", table: "gpt" });
    expect(stack.problems).toEqual([]);
  });

  const blocks = SIZE / 512;
  // Signature, revision, length, checksum, own place, disk GUID, place of the table, its checksum; the table itself.
  const places = [0, 8, 12, 16, 24, 56, 72, 80, 88];
  test.each([...places.map((at) => 512 + at), 1024 + 32, 1024 + 160])(
    "with a flipped bit at byte %i: the copy at the end is used, and that is said",
    async (at) => {
      const disk = newDisk();
      writeGpt(disk, parts);
      disk[at]! ^= 1;
      await using stack = await open(disk);
      expect(shape(stack)).toHaveLength(2);
      expect(stack.problems).toMatchObject([
        {
          severity: "warning",
          code: "CEV_BAD_METADATA",
          message: matching(/^disk, GPT header.*at byte (5\d\d|600): .*copy at the end of the disk is used$/),
        },
      ]);
    },
  );

  test.each([...places.map((at) => (blocks - 1) * 512 + at), (blocks - 33) * 512])(
    "with a flipped bit at byte %i, in the copy: the first is enough",
    async (at) => {
      const disk = newDisk();
      writeGpt(disk, parts);
      disk[at]! ^= 1;
      await using stack = await open(disk);
      expect(shape(stack)).toHaveLength(2);
    },
  );

  test("damaged in both copies is refused, with the field and the byte", async () => {
    const disk = newDisk();
    writeGpt(disk, parts);
    disk[512 + 56]! ^= 1;
    disk[(blocks - 1) * 512 + 56]! ^= 1;
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([]);
    expect(stack.problems).toMatchObject([
      {
        severity: "error",
        message: matching(
          /^disk, GPT header, field headerChecksum, at byte 528: its checksum is wrong, and there is no sound copy/,
        ),
      },
    ]);
  });

  test("of a truncated image still shows the partitions that are whole", async () => {
    const disk = newDisk();
    writeGpt(disk, parts);
    await using stack = await open(disk.slice(0, 200 * 512));
    expect(shape(stack)).toEqual([["disk/p1", 40 * 512, 60 * 512]]);
    expect(stack.problems).toMatchObject([{ severity: "error", message: matching(/partition 2 is bytes/) }]);
  });

  test("left over under a newer MBR is not used", async () => {
    const disk = newDisk();
    writeGpt(disk, parts);
    disk.fill(0, 446, 510);
    writeMbr(disk, [{ type: 0x83, first: 64, count: 100 }]);
    await using stack = await open(disk);
    expect(shape(stack)).toEqual([["disk/p1", 64 * 512, 100 * 512]]);
  });
});

property.prop({ seed: fc.integer(), count: fc.integer({ min: 1, max: 40 }) })(
  "whatever a damaged table says, partitions stay within the disk and apart from one another",
  async ({ seed, count }) => {
    const disk = newDisk(1 << 17);
    writeGpt(disk, [
      { first: 40, last: 99 },
      { first: 100, last: 150 },
    ]);
    let state = seed >>> 0;
    const next = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    if (next(2) === 0) {
      disk.fill(0, 0, 2048);
      writeMbr(disk, [
        { type: 5, first: 8, count: 200 },
        { type: 0x83, first: 1, count: 7 },
      ]);
      writeMbr(
        disk,
        [
          { type: 0x83, first: 1, count: 9 },
          { type: 5, first: 20, count: 9 },
        ],
        8,
      );
    }
    for (let index = 0; index < count; index++) disk[next(4096)] = next(256);
    await using stack = await open(disk);
    let end = 0;
    const found = stack.devices
      .slice(1)
      .map((one) => ({ start: Number(one.details["start"]), size: one.layer!.limits.size }));
    for (const { start, size } of found.toSorted((a, b) => a.start - b.start)) {
      expect(start).toBeGreaterThanOrEqual(end);
      end = start + size;
    }
    expect(end).toBeLessThanOrEqual(disk.length);
  },
);

describe("a window", () => {
  const lower = (): MemoryLayer =>
    new MemoryLayer(environment, {
      size: 8192,
      contents: Uint8Array.from({ length: 8192 }, (_, at) => at >> 9),
    });

  test("shows its range and nothing beside it", async () => {
    const layer = lower();
    const window = new WindowLayer(layer, "window", { start: 1024, length: 2048 });
    await using stack = await openStack(
      { devices: {} },
      { environment, drivers: [], layers: [{ name: "w", layer: window }] },
    );
    const device = await stack.open("w");
    expect(device.size).toBe(2048);
    expect((await device.read(512, 1))[0]).toBe(3);
    await device.write(2047, new Uint8Array([99]));
    expect([layer.bytes[3071], layer.bytes[3072]]).toEqual([99, 6]);
    await device.writeZeroes(0, 512);
    await device.discard(512, 512);
    expect([layer.bytes[1023], layer.bytes[1024]]).toEqual([1, 0]);
    expect((await failureOf(device.read(2048, 1))).code).toBe("CEV_OUT_OF_RANGE");
  });

  test.each([
    [{ start: 100, length: 512 }, "CEV_INVALID"],
    [{ start: 0, length: 8704 }, "CEV_OUT_OF_RANGE"],
    [{ start: 512, length: 0 }, "CEV_OUT_OF_RANGE"],
  ])("%j is refused", (options, code) => {
    let thrown: unknown;
    try {
      new WindowLayer(lower(), "window", options);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code });
    expect(formatError(thrown)).not.toBe("");
  });

  test("of one table may be written beside its neighbours, and the disk itself may not", async () => {
    const disk = newDisk();
    writeMbr(disk, [
      { type: 0x83, first: 64, count: 100 },
      { type: 0x83, first: 200, count: 100 },
    ]);
    const layer = new MemoryLayer(environment, { size: SIZE, contents: disk });
    await using stack = await openImages([{ name: "disk", layer }], {
      environment,
      drivers: [partitionsDriver],
      isReadOnly: false,
    });
    await (await stack.open("disk/p1")).write(0, new Uint8Array([1]));
    await (await stack.open("disk/p2")).write(0, new Uint8Array([2]));
    expect([layer.bytes[64 * 512], layer.bytes[200 * 512]]).toEqual([1, 2]);
    expect((await failureOf(stack.open("disk"))).code).toBe("CEV_BUSY");
  });
});
