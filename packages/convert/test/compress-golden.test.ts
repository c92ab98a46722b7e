import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, brotliDecompressSync, crc32, zstdDecompressSync } from "node:zlib";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { CompressLayer, findSuperblock, formatCompressed } from "../src/index.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;
const FIXTURE = join(import.meta.dirname, "fixtures/compressed.img.br");
const FORMAT = resolve(import.meta.dirname, "../../../docs/formats/compress.md");
const environment = environmentFrom(globalThis);

/** What the image shows: text, noise, a hole, and in chunk 3 something that only the journal knows. */
function contents(): Uint8Array {
  const bytes = new Uint8Array(4 * CHUNK);
  bytes.set(Buffer.from("the quick brown fox. ".repeat(200)).subarray(0, CHUNK), 0);
  bytes.set(new Random(5).bytes(CHUNK), CHUNK);
  bytes.fill(0x42, 3 * CHUNK);
  return bytes;
}

/** Made once, and kept: what a later version has to be able to read. `CEV_RECORD=1` makes it anew. */
async function record(): Promise<void> {
  const disk = new MemoryLayer(environment, { size: 256 * KIB });
  const options = { chunkSize: CHUNK, journalLength: 32 * KIB, codec: "zstd" as const };
  const superblock = await formatCompressed(disk, environment, options);
  const open = (): Promise<Device> =>
    Device.open(new CompressLayer(disk, { superblock, environment }), environment);
  const first = await open();
  await first.write(0, contents().subarray(0, 2 * CHUNK));
  await first.close();
  const second = await open();
  await second.write(3 * CHUNK, contents().subarray(3 * CHUNK));
  await second.flush();
  // The power goes here: what was written last is in the journal, and not yet in the map.
  const image = disk.bytes.slice();
  await second.close();
  mkdirSync(join(FIXTURE, ".."), { recursive: true });
  writeFileSync(FIXTURE, brotliCompressSync(image));
}

if (process.env["CEV_RECORD"] !== undefined) await record();
const image = new Uint8Array(brotliDecompressSync(readFileSync(FIXTURE)));

/** A structure, read by the table of the document alone: fields by the words with which their meanings begin. */
function fieldsOf(
  heading: string,
  table: number,
  at: number,
): Map<string, { readonly bytes: Uint8Array; readonly value: bigint }> {
  const section = readFileSync(FORMAT, "utf8").split(`\n## ${heading}\n`)[1]!.split("\n## ")[0]!;
  const rows = section
    .split(/\n\n(?=\|)/u)
    [table + 1]!.split("\n\n")[0]!
    .split("\n")
    .slice(2);
  return new Map(
    rows.flatMap((row) => {
      const [offset = "", size = "", meaning = ""] = row
        .split("|")
        .slice(1)
        .map((cell) => cell.trim());
      if (!/^\d+$/u.test(offset) || !/^\d+$/u.test(size)) return [];
      const bytes = image.subarray(at + Number(offset), at + Number(offset) + Number(size));
      const value = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
      return [[/^[^:,]*/u.exec(meaning)![0], { bytes, value }] as const];
    }),
  );
}

describe("an image of the format", () => {
  const superblock = fieldsOf("Superblock", 0, 0);
  const value = (name: string): number => Number(superblock.get(name)!.value);
  const [mapOffset, dataOffset] = [value("map offset"), value("data offset")];
  const sumOf = (from: number, to: number, place: readonly number[] = []): number =>
    crc32(image.subarray(from, to), crc32(Uint8Array.from(place)));
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

  test("has the superblock of the table, and its copy", () => {
    expect(text(superblock.get("`cevcmprs`")?.bytes)).toBe("cevcmprs");
    expect(Object.fromEntries([...superblock].map(([name, field]) => [name, field.value]))).toMatchObject({
      version: 1n,
      "features that have to be known": 0n,
      "chunk size": BigInt(CHUNK),
      "length of one half of the journal": 16n * 1024n,
      "map offset": 40n * 1024n,
      "how new chunks are compressed": 2n,
      level: 1n,
      "checksum of bytes 0 to 4091": BigInt(sumOf(0, 4092)),
    });
    expect(value("map length") % 4096).toBe(0);
    expect(dataOffset % CHUNK).toBe(0);
    expect(dataOffset + value("bins") * CHUNK).toBeLessThanOrEqual(image.length);
    expect(value("size of the device that is shown")).toBe(CHUNK * (value("bins") - 17));
    expect(Buffer.compare(image.subarray(0, 4096), image.subarray(4096, 8192))).toBe(0);
  });

  /** By the second table of the map. */
  const storedAt = (at: number): { readonly kind: bigint; readonly stored: Uint8Array } => {
    const entry = fieldsOf("Map", 1, at);
    const place = dataOffset + Number(entry.get("first unit")!.value) * (CHUNK / 8);
    const length = Number(entry.get("stored bytes")!.value);
    const stored = image.subarray(place, place + length);
    expect(entry.get("checksum of the stored bytes")!.value).toBe(BigInt(crc32(stored)));
    expect(Number(entry.get("units")!.value)).toBe(Math.ceil(length / (CHUNK / 8)));
    return { kind: entry.get("1")!.value, stored };
  };

  test("has a sector of the map that knows two chunks, one compressed and one as it is, and holes", () => {
    const sector = fieldsOf("Map", 0, mapOffset);
    const formatId = superblock.get("format id")!.bytes;
    const checksum = sector.get("checksum of the number of the sector (8 bytes) and bytes 4 to 511")!;
    expect(checksum.value).toBe(BigInt(sumOf(mapOffset + 4, mapOffset + 512, [0, 0, 0, 0, 0, 0, 0, 0])));
    expect(sector.get("first half of the format id")!.bytes).toEqual(formatId.subarray(0, 4));
    expect(sector.get("epoch")!.value).toBe(1n);
    const [packed, plain] = [0, 1].map((index) => storedAt(mapOffset + 16 + 16 * index));
    expect([packed!.kind, plain!.kind]).toEqual([2n, 1n]);
    const shown = contents();
    expect(Buffer.compare(zstdDecompressSync(packed!.stored), shown.subarray(0, CHUNK))).toBe(0);
    expect(Buffer.compare(plain!.stored, shown.subarray(CHUNK, 2 * CHUNK))).toBe(0);
    expect(image.subarray(mapOffset + 48, mapOffset + 512).every((byte) => byte === 0)).toBe(true);
  });

  test("has a record of the second epoch for the chunk that was written last", () => {
    // Epoch 2 stands in half 0.
    const at = 8192;
    const record = fieldsOf("Journal", 0, at);
    expect(text(record.get("`cevj`")!.bytes)).toBe("cevj");
    expect(record.get("format id")!.bytes).toEqual(superblock.get("format id")!.bytes);
    expect(record.get("epoch")!.value).toBe(2n);
    expect(record.get("sequence")!.value).toBe(0n);
    expect(record.get("changes")!.value).toBe(1n);
    expect(
      record.get("the highest sequence of the epoch that was durable before this commit; -1")!.value,
    ).toBe(0xffff_ffffn);
    const [name] = [...record.keys()].filter((key) => key.startsWith("checksum of the number of the half"));
    expect(record.get(name!)!.value).toBe(BigInt(sumOf(at + 8, at + 4096, [0, 0, 0, 0, 0, 0, 0, 0])));
    expect(new DataView(image.buffer).getUint32(at + 48, true)).toBe(3);
    const { kind, stored } = storedAt(at + 56);
    expect(kind).toBe(2n);
    expect(Buffer.compare(zstdDecompressSync(stored), contents().subarray(3 * CHUNK))).toBe(0);
  });

  test("shows what was written to it", async () => {
    const disk = new MemoryLayer(environment, { size: image.length, contents: image });
    const found = await findSuperblock(disk, environment);
    if (typeof found === "string") throw new Error(found);
    for (const isReadOnly of [true, false]) {
      const layer = new CompressLayer(disk, { superblock: found.superblock, environment, isReadOnly });
      const device = await Device.open(layer, environment);
      expect(Buffer.compare(await device.read(0, 4 * CHUNK), contents())).toBe(0);
      expect((await device.read(4 * CHUNK, device.size - 4 * CHUNK)).every((byte) => byte === 0)).toBe(true);
      await device.close();
      // Who only reads changes no byte; who writes brings the map up to date.
      expect(Buffer.compare(disk.bytes, image) === 0).toBe(isReadOnly);
    }
  });
});
