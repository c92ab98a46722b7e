import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { unpackGolden } from "../../../tests/interop/golden/unpack.ts";
import { readFormatTable } from "../../../tests/interop/src/format-table.ts";
import { openImages, partitionsDriver } from "../src/index.ts";
import type { Stack } from "../src/index.ts";
import { MemoryLayer } from "@cev/test-kit";
import { environment, temporaryFolder } from "./helpers.ts";

const DOCUMENT = "partition-tables.md";

function imageOf(name: string): Buffer {
  const { images } = unpackGolden(name, join(temporaryFolder(), name));
  return readFileSync(images[0]!);
}

/** The fields of a structure by the byte table in the documentation, as numbers; longer ones as text. */
function fieldsOf(heading: string, image: Buffer, base: number): Record<string, number | string> {
  const rows = readFormatTable(DOCUMENT, heading).filter((row) => row.name !== "");
  return Object.fromEntries(
    rows.map(({ name, offset, size }) => {
      const bytes = image.subarray(base + offset, base + offset + size);
      if (size <= 4) return [name, bytes.readUIntLE(0, size)];
      return [
        name,
        size === 8 && name !== "magic" ? Number(bytes.readBigUInt64LE()) : bytes.toString("latin1"),
      ];
    }),
  );
}

function open(image: Buffer): Promise<Stack> {
  const layer = new MemoryLayer(environment, { size: image.length, contents: image });
  return openImages([{ name: "disk", layer }], { environment, drivers: [partitionsDriver] });
}

test("the tables of an MBR agree with what fdisk wrote, and with what is read", async () => {
  const image = imageOf("mbr");
  expect(fieldsOf("MBR", image, 0)).toMatchObject({ magic: 0xaa55, signature: 0xcafe0001 });
  const first = fieldsOf("MBR entry", image, 446);
  expect(first).toMatchObject({ status: 0, type: 0x83, first: 2048, count: 6144 });
  await using stack = await open(image);
  expect(stack.find("disk/p1")).toMatchObject({
    details: { start: Number(first["first"]) * 512, type: "0x83" },
  });
});

test("the tables of a GPT agree with what was written, in both copies, and with what is read", async () => {
  const image = imageOf("gpt");
  const blocks = image.length / 512;
  for (const [own, other] of [
    [1, blocks - 1],
    [blocks - 1, 1],
  ] as const) {
    const header = fieldsOf("GPT header", image, own * 512);
    const bytes = Buffer.from(image.subarray(own * 512, own * 512 + Number(header["header_size"])));
    bytes.fill(0, 16, 20);
    const tableStart = Number(header["table_block"]) * 512;
    const table = image.subarray(
      tableStart,
      tableStart + Number(header["entry_count"]) * Number(header["entry_size"]),
    );
    expect(header).toMatchObject({
      magic: "EFI PART",
      revision: 0x0001_0000,
      header_crc: crc32(bytes),
      own_block: own,
      other_block: other,
      table_crc: crc32(table),
    });
    expect(fieldsOf("GPT entry", image, tableStart)).toMatchObject({ first_block: 2048, last_block: 8191 });
    expect(fieldsOf("GPT entry", image, tableStart + 128)).toMatchObject({
      first_block: 8192,
      last_block: 14_335,
    });
  }
  await using stack = await open(image);
  expect(stack.devices.map((one) => one.layer?.limits.size)).toEqual([image.length, 6144 * 512, 6144 * 512]);
});
