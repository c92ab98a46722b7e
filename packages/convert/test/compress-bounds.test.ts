import { Device, LayerBase, Op, closeTree, environmentFrom, openTree, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";
import { FaultLayer, MemoryLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { CompressLayer, compressDriver, findSuperblock, formatCompressed } from "../src/index.ts";
import { HOLE } from "../src/compress/entry.ts";
import { encodeRecord } from "../src/compress/journal-record.ts";
import { encodeMapSector } from "../src/compress/map-sector.ts";
import { planFormat } from "../src/compress/format.ts";
import { SECTOR_ENTRIES, SECTOR_LENGTH } from "../src/compress/superblock.ts";
import type { Superblock } from "../src/compress/superblock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const environment = environmentFrom(globalThis);

test("what a device is made with is what it describes, the memory that its map may take included", async () => {
  const disk = new MemoryLayer(environment, { size: MIB });
  await openTree(disk);
  const superblock = await formatCompressed(disk, environment, { chunkSize: 4 * KIB });
  const options = { mapMemoryMax: 123_456, discards: true };
  const layer = new CompressLayer(disk, { superblock, environment, ...options });
  expect(layer.describe()).toMatchObject({ driver: compressDriver.name, options });
  await closeTree(disk);
});

test("one that was made when it was opened can be closed and opened again", async () => {
  const disk = new MemoryLayer(environment, { size: MIB });
  const superblock = planFormat(disk, environment, { chunkSize: 4 * KIB });
  const layer = new CompressLayer(disk, { superblock, environment, isNew: true });
  const contents = new Random(1).bytes(4 * KIB);
  let device = await Device.open(layer, environment);
  await device.write(0, contents);
  await device.close();
  device = await Device.open(layer, environment);
  expect(Buffer.compare(await device.read(0, 4 * KIB), contents)).toBe(0);
  await device.close();
});

test.each([0, 4 * KIB])("a superblock that cannot be read, at %i, loses to the other", async (offset) => {
  const disk = new MemoryLayer(environment, { size: MIB });
  const lower = new FaultLayer(disk, environment);
  await openTree(lower);
  const superblock = await formatCompressed(lower, environment, { chunkSize: 4 * KIB });
  lower.add({ op: Op.read, offset, length: 512, fault: { kind: "error", code: "CEV_MEDIUM" } });
  expect(await findSuperblock(lower, environment)).toEqual({ superblock });
  lower.add({ op: Op.read, offset: 0, length: 8 * KIB, fault: { kind: "error", code: "CEV_MEDIUM" } });
  await expect(findSuperblock(lower, environment)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
  await closeTree(lower);
});

test("a place that cannot be read makes nothing blank, and an error that is no place's is told", async () => {
  const disk = new MemoryLayer(environment, { size: MIB });
  const lower = new FaultLayer(disk, environment);
  await openTree(lower);
  lower.add({ op: Op.read, offset: 4 * KIB, countMax: 1, fault: { kind: "error", code: "CEV_MEDIUM" } });
  await expect(findSuperblock(lower, environment)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
  expect(await findSuperblock(lower, environment)).toBe("blank");
  await formatCompressed(lower, environment, { chunkSize: 4 * KIB });
  lower.add({ op: Op.read, offset: 0, countMax: 1, fault: { kind: "error", code: "CEV_DEVICE_LOST" } });
  await expect(findSuperblock(lower, environment)).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
  await closeTree(lower);
});

/** A long journal, half of it full of records of one epoch, and a map without chunks: made as it is read. */
class FullJournalLayer extends LayerBase {
  readonly name = "full-journal";
  readonly limits: Limits;
  readonly support: Support = {
    ...{ read: "native", write: "none", flush: "none", discard: "none" },
    ...{ writeZeroes: "none", fua: "none" },
  };
  /** The longest request. */
  lengthMax = 0;
  readonly superblock: Superblock;

  constructor(size: number, superblock: Superblock) {
    super();
    this.limits = plainLimits(size);
    this.superblock = superblock;
  }

  submit(io: Io): void {
    if (io.op !== Op.read) return refuse(io, this);
    this.lengthMax = Math.max(this.lengthMax, io.length);
    const { formatId, halfLength, mapOffset } = this.superblock;
    const target = io.data.subarray(io.dataOffset, io.dataOffset + io.length).fill(0);
    for (let at = io.offset; at < io.offset + io.length; at += SECTOR_LENGTH) {
      const index = (at - mapOffset) / SECTOR_LENGTH;
      if (index >= 0)
        target.set(
          encodeMapSector(index, formatId, { epoch: 0, entries: new Uint8Array(0) }),
          at - io.offset,
        );
      else if (at % 4096 === 0 && at >= 8192 + halfLength) {
        const sequence = (at - 8192 - halfLength) / 4096;
        const changes = [{ chunk: sequence % SECTOR_ENTRIES, entry: HOLE }];
        const record = { epoch: 1, sequence, durableThrough: sequence - 1, changes };
        target.set(encodeRecord(formatId, record), at - io.offset);
      }
    }
    io.complete();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [] };
  }
}

test("a long journal is read in steps of 1 MiB", async () => {
  const disk = new MemoryLayer(environment, { size: MIB });
  const plan = planFormat(disk, environment, { chunkSize: 4 * KIB });
  const halfLength = 8 * MIB;
  const [mapOffset, dataOffset] = [8192 + 2 * halfLength, 8192 + 2 * halfLength + plan.mapLength];
  const superblock = { ...plan, halfLength, mapOffset, dataOffset };
  const lower = new FullJournalLayer(dataOffset + plan.binCount * 4 * KIB, superblock);
  const layer = new CompressLayer(lower, { superblock, environment, isReadOnly: true });
  await using device = await Device.open(layer, environment);
  expect(lower.lengthMax).toBe(MIB);
  expect(await device.read(0, 4 * KIB)).toEqual(new Uint8Array(4 * KIB));
});

test("memory that is allowed, and not there, is told as such", async () => {
  const disk = new MemoryLayer(environment, { size: MIB });
  const plan = planFormat(disk, environment, { chunkSize: 4 * KIB });
  const mapLength = 2 ** 52;
  const superblock = { ...plan, mapLength };
  const lower = new FullJournalLayer(2 ** 53 - 4096, superblock);
  const layer = new CompressLayer(lower, {
    ...{ superblock, environment, isReadOnly: true },
    mapMemoryMax: Number.MAX_SAFE_INTEGER,
  });
  await expect(layer.open()).rejects.toMatchObject({ code: "CEV_NO_MEMORY" });
});
