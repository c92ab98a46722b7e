import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { lvmCrc } from "../src/disk/crc.ts";
import { decodeLabel, encodeLabel, findLabel } from "../src/disk/label.ts";
import type { PvLabel } from "../src/disk/label.ts";
import { loadGolden } from "./support/golden.ts";

const UUID = "aXoWDRRf6NlqpQ38Y5Sn7EuD4QizNcUT";

const plain: PvLabel = {
  sector: 1,
  uuid: UUID,
  deviceSize: 4_194_304,
  dataAreas: [{ offset: 65_536, size: 0 }],
  metadataAreas: [{ offset: 4096, size: 61_440 }],
  extension: { version: 2, flags: 1, bootloaderAreas: [] },
};

const offset = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const area = fc.record({ offset, size: fc.nat(Number.MAX_SAFE_INTEGER) });
const label: fc.Arbitrary<PvLabel> = fc.record({
  sector: fc.integer({ min: 0, max: 3 }),
  uuid: fc.stringMatching(/^[0-9A-Za-z!#]{32}$/),
  deviceSize: fc.nat(Number.MAX_SAFE_INTEGER),
  dataAreas: fc.array(area, { maxLength: 5 }),
  metadataAreas: fc.array(area, { maxLength: 5 }),
  extension: fc.option(
    fc.record({
      version: fc.integer({ min: 1, max: 0xffffffff }),
      flags: fc.nat(0xffffffff),
      bootloaderAreas: fc.array(area, { maxLength: 5 }),
    }),
  ),
});

/** Four sectors with a label in one of them. */
function sectorsWith(sector: number, bytes: Uint8Array): Uint8Array {
  const sectors = new Uint8Array(2048);
  sectors.set(bytes, sector * 512);
  return sectors;
}

test.prop([label])("what was encoded is decoded, in whichever sector it lies", (wanted) => {
  const bytes = encodeLabel(wanted);
  expect(decodeLabel(bytes, wanted.sector, "d0")).toEqual(wanted);
  expect(findLabel(sectorsWith(wanted.sector, bytes), "d0").label).toEqual(wanted);
});

test("a label made by LVM2 is encoded to the same bytes", () => {
  for (const { name, bytes } of loadGolden("lvm").images) {
    const found = findLabel(bytes.subarray(0, 2048), name).label!;
    expect(encodeLabel(found)).toEqual(bytes.slice(512, 1024));
  }
});

test("each byte flipped gives an error that names device, structure and byte", () => {
  const bytes = encodeLabel(plain);
  for (let at = 0; at < 512; at++) {
    const damaged = bytes.slice();
    damaged[at]! ^= 0x20;
    const { label: found, errors } = findLabel(sectorsWith(1, damaged), "d0");
    expect(found).toBeNull();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      code: "CEV_BAD_METADATA",
      place: { source: "d0", structure: "LVM2 label in sector 1" },
    });
    expect(errors[0]!.place.byteOffset).toBeGreaterThanOrEqual(512);
  }
});

test("a valid label is found behind a damaged one, and the damage is told", () => {
  const sectors = sectorsWith(2, encodeLabel({ ...plain, sector: 2 }));
  const damaged = encodeLabel(plain);
  damaged[100]! ^= 1;
  sectors.set(damaged, 512);
  const { label: found, errors } = findLabel(sectors, "d0");
  expect(found?.sector).toBe(2);
  expect(errors.map(({ place }) => place.structure)).toEqual(["LVM2 label in sector 1"]);
});

test("of two labels the one in the lower sector counts, and the other is told", () => {
  const sectors = sectorsWith(3, encodeLabel({ ...plain, sector: 3 }));
  sectors.set(encodeLabel(plain), 512);
  expect(findLabel(sectors, "d0")).toMatchObject({ label: { sector: 1 }, ignoredSectors: [3] });
});

test("sectors without a label, and devices shorter than four sectors, are nothing", () => {
  expect(findLabel(new Uint8Array(2048), "d0")).toEqual({ label: null, errors: [], ignoredSectors: [] });
  expect(findLabel(new Uint8Array(700), "d0").label).toBeNull();
});

describe("with its checksum made right, is refused:", () => {
  const cases: readonly (readonly [string, (view: DataView) => void, string])[] = [
    ["a label that belongs into another sector", (view) => view.setUint32(8, 2, true), "sector"],
    ["a header beyond the sector", (view) => view.setUint32(20, 480, true), "offset"],
    ["a header over the label's own", (view) => view.setUint32(20, 8, true), "offset"],
    ["another type of label", (view) => view.setUint8(24, 0x4d), "type"],
    ["a UUID with other characters", (view) => view.setUint8(32, 0x0a), "pv_uuid"],
    ["a device of 2^60 bytes", (view) => view.setUint32(68, 0x10000000, true), "device_size"],
    ["an area at 2^60", (view) => view.setUint32(76, 0x10000000, true), "data area 0"],
    ["a list of areas without an end", (view) => fill(view, 72), "data area"],
  ];
  test.each(cases)("%s", (_, spoil, field) => {
    const bytes = encodeLabel(plain);
    const view = new DataView(bytes.buffer);
    spoil(view);
    view.setUint32(16, lvmCrc(bytes.subarray(20)), true);
    expect(() => decodeLabel(bytes, 1, "d0")).toThrow(
      expect.objectContaining({ code: "CEV_BAD_METADATA", place: withField(field) }),
    );
  });
});

function fill(view: DataView, from: number): void {
  for (let at = from; at < 512; at += 8) view.setUint32(at, 1, true);
}

function withField(field: string): unknown {
  return expect.objectContaining({ field });
}
