import { Device, Op, environmentFrom, openTree } from "@cev/core";
import { FaultLayer, MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { CompressLayer, formatCompressed } from "../src/index.ts";
import { isWhole } from "../src/compress/gathering.ts";

const KIB = 1024;
const CHUNK = 32 * KIB;
const BLOCK = 4 * KIB;
const environment = environmentFrom(globalThis);
const blocks = Array.from({ length: CHUNK / BLOCK }, (_, index) => index);

interface Opened {
  readonly disk: MemoryLayer;
  readonly faults: FaultLayer;
  readonly device: Device;
  /** Requests below since the last call. */
  readonly count: (op: Op) => number;
}

async function open(completion: "atOnce" | "later" | "random", seed = 1): Promise<Opened> {
  const disk = new MemoryLayer(environment, { size: 1024 * KIB, seed });
  const faults = new FaultLayer(disk, environment);
  await openTree(faults);
  const superblock = await formatCompressed(faults, environment, {
    chunkSize: CHUNK,
    journalLength: 16 * KIB,
  });
  disk.completion = completion;
  const device = await Device.open(new CompressLayer(faults, { superblock, environment }), environment);
  disk.log.length = 0;
  const count = (op: Op): number => disk.log.splice(0).filter((request) => request.op === op).length;
  return { disk, faults, device, count };
}

describe("writes of parts of a chunk that are under way at once", () => {
  test.each(["atOnce", "later"] as const)(
    "store it once, %s, and read nothing where they fill it",
    async (how) => {
      const { device, count } = await open(how);
      const contents = new Random(1).bytes(CHUNK);
      await device.write(0, new Random(2).bytes(CHUNK));
      count(Op.write);
      await Promise.all(
        blocks.map((block) =>
          device.write(block * BLOCK, contents.subarray(block * BLOCK, (block + 1) * BLOCK)),
        ),
      );
      expect(count(Op.write)).toBe(1);
      expect(Buffer.compare(await device.read(0, CHUNK), contents)).toBe(0);
      await device.close();
    },
  );

  test("all fail if it cannot be stored, and leave it as it was", async () => {
    const { device, faults } = await open("later");
    const before = new Random(3).bytes(CHUNK);
    await device.write(0, before);
    faults.add({ op: Op.write, countMax: 1, fault: { kind: "error", code: "CEV_IO" } });
    const results = await Promise.allSettled(
      blocks.slice(1).map((block) => device.write(block * BLOCK, new Random(block).bytes(BLOCK))),
    );
    for (const result of results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "CEV_IO" } });
    expect(Buffer.compare(await device.read(0, CHUNK), before)).toBe(0);
    await device.write(BLOCK, new Random(9).bytes(BLOCK));
    expect(Buffer.compare(await device.read(BLOCK, BLOCK), new Random(9).bytes(BLOCK))).toBe(0);
    await device.close();
  });

  test("and all changes that overlap are done in the order in which they came", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      const { device } = await open("random", seed);
      const size = 4 * CHUNK;
      const model = new Uint8Array(size);
      for (let round = 0; round < 6; round++) {
        const requests: Promise<void>[] = [];
        for (let index = random.between(2, 24); index > 0; index--) {
          const isSmall = random.chance(0.7);
          const length = (isSmall ? random.between(1, 8) : random.between(1, 128)) * 512;
          const offset = random.below((size - length) / 512 + 1) * 512;
          const kind = random.below(10);
          if (kind === 0) {
            model.fill(0, offset, offset + length);
            requests.push(device.writeZeroes(offset, length));
          } else if (kind === 1) {
            const start = offset - (offset % CHUNK);
            model.fill(0, start, start + CHUNK);
            requests.push(device.discard(start, CHUNK));
          } else {
            const data = random.chance(0.5) ? random.bytes(length) : new Uint8Array(length).fill(seed);
            model.set(data, offset);
            requests.push(device.write(offset, data, { fua: random.chance(0.1) }));
          }
          if (random.chance(0.1)) requests.push(device.flush());
          if (random.chance(0.2)) await new Promise<void>((resolve) => environment.later(resolve));
        }
        await Promise.all(requests);
        expect(Buffer.compare(await device.read(0, size), model), `seed ${seed}`).toBe(0);
      }
      await device.close();
    }
  });
});

describe("a chunk", () => {
  test("is read and expanded once for all who read parts of it at once, and not again for who comes next", async () => {
    const { device, disk, count } = await open("later");
    const contents = new Random(4).bytes(CHUNK);
    await device.write(0, contents);
    const read = async (): Promise<void> => {
      const parts = await Promise.all(blocks.map((block) => device.read(block * BLOCK, BLOCK)));
      expect(Buffer.compare(Buffer.concat(parts), contents)).toBe(0);
    };
    count(Op.read);
    await read();
    const stored = disk.log.splice(0).filter(({ op }) => op === Op.read);
    expect(stored.map(({ length }) => length)).toEqual([CHUNK]);
    await read();
    expect(count(Op.read)).toBe(0);
    await device.close();
  });

  test("that could not be read is asked for again", async () => {
    const { device, faults } = await open("later");
    await device.write(0, new Random(5).bytes(CHUNK));
    faults.add({ op: Op.read, countMax: 1, fault: { kind: "error", code: "CEV_MEDIUM" } });
    const results = await Promise.allSettled([device.read(0, BLOCK), device.read(BLOCK, BLOCK)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(Buffer.compare(await device.read(0, CHUNK), new Random(5).bytes(CHUNK))).toBe(0);
    await device.close();
  });
});

test("parts fill a chunk where nothing is left between them", () => {
  const part = (start: number, length: number): { start: number; data: Uint8Array } => ({
    start,
    data: new Uint8Array(length),
  });
  expect(isWhole([part(0, 8)], 8)).toBe(true);
  expect(isWhole([part(4, 4), part(0, 5)], 8)).toBe(true);
  expect(isWhole([part(0, 6), part(1, 2), part(6, 2)], 8)).toBe(true);
  expect(isWhole([part(0, 3), part(4, 4)], 8)).toBe(false);
  expect(isWhole([part(1, 7)], 8)).toBe(false);
  expect(isWhole([part(0, 7)], 8)).toBe(false);
});

test("of a request that fails, all chunks have ended when that is told", async () => {
  const { device, faults } = await open("random", 7);
  const contents = new Random(6).bytes(6 * CHUNK);
  await device.write(0, contents);
  await device.flush();
  for (const op of [Op.read, Op.write] as const) {
    faults.reset();
    faults.add({ op, skipCount: 1, countMax: 1, fault: { kind: "error", code: "CEV_IO" } });
    const before = faults.requestCount;
    const request =
      op === Op.read ? device.read(0, 6 * CHUNK) : device.write(0, new Random(8).bytes(6 * CHUNK));
    await expect(request).rejects.toMatchObject({ code: "CEV_IO" });
    const after = faults.requestCount;
    expect(after - before).toBeGreaterThan(2);
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => environment.later(resolve));
    expect(faults.requestCount).toBe(after);
  }
  faults.reset();
  await device.close();
});
