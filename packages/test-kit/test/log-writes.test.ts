import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { IoFlag, Op, environmentFrom } from "@cev/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryLayer, WriteLog, replayRecording } from "../src/index.ts";
import { decodeLogEntry, decodeLogSuper, encodeLogEntry, encodeLogSuper } from "../src/record/log-writes.ts";
import { shapeOf, stepsOf } from "./support/recordings.ts";

const environment = environmentFrom(globalThis);
const SIZE = 64 * 1024;
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const memoryOf = (contents: Uint8Array): MemoryLayer =>
  new MemoryLayer(environment, { size: contents.length, contents });

describe("a log of the kernel's", () => {
  // Written by dm-log-writes of Linux 6.1: writes of A to D, a flush, FUA, a discard, and two marks.
  const golden = brotliDecompressSync(
    readFileSync(new URL("fixtures/dm-log-writes.img.br", import.meta.url)),
  );

  test("is read, entry by entry", async () => {
    const log = await WriteLog.open(memoryOf(golden), environment);
    expect([log.entryCount, log.sectorSize]).toEqual([11, 512]);
    expect((await stepsOf(log)).map(shapeOf)).toEqual([
      "first",
      "write 4096+4096",
      "write 8192+4096",
      "write 7680+1536",
      "flush 0+0",
      "write 20480+512 fua",
      "flush 0+0",
      "second",
      "discard 8192+4096",
      "write 28672+4096",
      "dm-log-writes-end",
    ]);
  });

  test("gives the device's contents when it is replayed, up to any mark", async () => {
    const log = await WriteLog.open(memoryOf(golden), environment);
    const wanted = new Uint8Array(SIZE);
    wanted.fill(0x41, 4096, 12_288);
    wanted.fill(0x42, 7680, 9216);
    wanted.fill(0x43, 20_480, 20_992);
    const first = memoryOf(new Uint8Array(SIZE));
    expect(await replayRecording(log, first, { environment, until: ({ mark }) => mark === "second" })).toBe(
      7,
    );
    expect(first.bytes).toEqual(wanted);
    wanted.fill(0, 8192, 12_288);
    wanted.fill(0x44, 28_672, 32_768);
    const whole = memoryOf(new Uint8Array(SIZE));
    expect(await replayRecording(log, whole, { environment })).toBe(11);
    expect(whole.bytes).toEqual(wanted);
  });

  test("any byte of it changed: it is read, or refused by name, and nothing is read beyond it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2047), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(golden.length / 512),
        async (changes, sectorCount) => {
          const bytes = Uint8Array.from(golden.subarray(0, Math.max(1, sectorCount) * 512));
          for (const [at, value] of changes) {
            // Super block, and the head of each entry in turn.
            const place = at < 1024 ? at % 40 : (Math.floor(at / 32) * 512 + (at % 32)) % bytes.length;
            if (place < bytes.length) bytes[place] = value;
          }
          try {
            const log = await WriteLog.open(memoryOf(bytes), environment, "the log");
            for (const step of await stepsOf(log)) {
              expect(Number.isSafeInteger(step.offset + step.length)).toBe(true);
              if (step.kind === "write") await step.read(0, step.length);
            }
          } catch (error) {
            expect(error).toMatchObject({ name: "MetadataError", place: { source: "the log" } });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each<[string, number, number[], string]>([
    ["magic", 0, [0], "magic"],
    ["version", 8, [2], "version"],
    ["number of entries", 22, [1], "nr_entries"],
    ["sector size", 24, [0, 3], "sectorsize"],
    ["length of an entry", 1024 + 8, [255, 255], "nr_sectors"],
    ["entry without a meaning", 1024 + 8, [0], "nr_sectors"],
    ["flags of an entry", 1024 + 16, [32], "flags"],
    ["text of a mark", 512 + 25, [9], "data_len"],
    ["place of an entry", 1024 + 7, [255], "sector"],
  ])("a wrong %s is refused, with its place", async (_what, at, values, field) => {
    const bytes = Uint8Array.from(golden);
    bytes.set(values, at);
    const read = WriteLog.open(memoryOf(bytes), environment).then(stepsOf);
    await expect(read).rejects.toMatchObject({ name: "MetadataError", place: { field } });
  });
});

test("an entry that asks for a flush and then writes is two steps", async () => {
  const data = bytesOf(512, 7);
  const head = encodeLogEntry({ offset: 1024, length: 512, flags: 1 | 2, mark: "" }, 512);
  const bytes = new Uint8Array(4096);
  bytes.set(encodeLogSuper({ entryCount: 1, sectorSize: 512 }));
  bytes.set(head, 512);
  bytes.set(data, 1024);
  const log = await WriteLog.open(memoryOf(bytes), environment);
  expect((await stepsOf(log)).map(shapeOf)).toEqual(["flush 0+0", "write 1024+512 fua"]);
  const target = memoryOf(new Uint8Array(SIZE));
  await replayRecording(log, target, { environment });
  expect(target.log.map(({ op, flags }) => [op, flags])).toEqual([
    [Op.flush, 0],
    [Op.write, IoFlag.fua],
  ]);
  expect(target.bytes.subarray(1024, 1536)).toEqual(data);
});

test("what is encoded is decoded as it was", () => {
  const sectorSize = fc.constantFrom(512, 1024, 4096, 65_536);
  fc.assert(
    fc.property(
      sectorSize,
      fc.nat(2 ** 31),
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.nat(31),
      fc.string(),
      (size, sector, count, flags, text) => {
        const isMark = (flags & 8) !== 0;
        const mark = isMark ? text.replaceAll(/[^\u0001-\u00ff]/g, "") : "";
        const entry = { offset: sector * size, length: isMark ? 0 : count * size, flags, mark };
        const superBlock = { entryCount: sector, sectorSize: size };
        expect(decodeLogSuper(encodeLogSuper(superBlock), "log")).toEqual(superBlock);
        expect(decodeLogEntry(encodeLogEntry(entry, size), superBlock, "log", 0)).toEqual(entry);
      },
    ),
    { numRuns: 100 },
  );
});
