import { CevError, MetadataError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../src/disk/bytes.ts";
import { lvmCrc } from "../src/disk/crc.ts";
import { encodeLabel } from "../src/disk/label.ts";
import { encodeMdaHeader } from "../src/disk/mda.ts";
import { scanPhysicalVolumes } from "../src/disk/scan.ts";
import type { PvScan, ScanSource } from "../src/disk/scan.ts";
import { groupText, linear, uuidOf } from "./support/group-image.ts";

const SIZE = 1 << 20;
const AREA = { offset: 4096, size: SIZE - 4096 };
/** Longer than what is compared at once, so that parts of it matter. */
const text = groupText({
  pvs: [uuidOf("a"), uuidOf("b"), uuidOf("c")],
  volumes: { root: linear(uuidOf("l"), [[1, "pv0", 0]]) },
  more: `tags = ["${"x".repeat(300_000)}"]`,
});

/** A device with the text at this offset of its ring, which counts how many bytes are read at once at most. */
class Source implements ScanSource {
  readonly size = SIZE;
  readonly name: string;
  readonly bytes = new Uint8Array(SIZE);
  readonly readInto?: (offset: number, bytes: Uint8Array) => Promise<void>;
  lengthMax = 0;

  constructor(name: string, uuid: string, offset: number, hasReadInto: boolean) {
    this.name = name;
    const data = bytesOf(`${text}\0`);
    const label = { sector: 1, uuid: uuid.replaceAll("-", ""), deviceSize: SIZE };
    const extension = { version: 2, flags: 1, bootloaderAreas: [] };
    this.bytes.set(
      encodeLabel({ ...label, dataAreas: [{ offset: SIZE, size: 0 }], metadataAreas: [AREA], extension }),
      512,
    );
    for (const [index, value] of data.entries()) {
      const at = offset + index;
      this.bytes[AREA.offset + (at < AREA.size ? at : at - AREA.size + 512)] = value;
    }
    const committed = { offset, size: data.length, checksum: lvmCrc(data), flags: 0 };
    this.bytes.set(
      encodeMdaHeader({ start: AREA.offset, size: AREA.size, committed, precommitted: null }),
      AREA.offset,
    );
    if (hasReadInto)
      this.readInto = async (at, bytes) => {
        bytes.set(await this.read(at, bytes.length));
      };
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.lengthMax = Math.max(this.lengthMax, length);
    return this.bytes.slice(offset, offset + length);
  }
}

async function scanned(sources: readonly Source[]): Promise<PvScan[]> {
  const found = await scanPhysicalVolumes(sources);
  return found.map((scan) => {
    if (scan === null || scan instanceof MetadataError) throw new Error("the device has a label");
    return scan;
  });
}

describe.each([
  ["in memory that is there already", true],
  ["in new memory each time", false],
])("copies of a long text, read %s", (_, hasReadInto) => {
  const make = (): Source[] => [
    new Source("d0", uuidOf("a"), 512, hasReadInto),
    new Source("d1", uuidOf("b"), SIZE - 4096 - 200_192, hasReadInto),
    new Source("d2", uuidOf("c"), 51_200, hasReadInto),
  ];

  test("are parsed once and compared in parts, also where they wrap", async () => {
    const sources = make();
    const copies = (await scanned(sources)).map(({ areas }) => areas[0]!.copy!);
    expect(new Set(copies.map(({ identity }) => identity)).size).toBe(1);
    expect(copies[1]!.ranges).toHaveLength(2);
    expect(sources.filter(({ lengthMax }) => lengthMax > 200_000)).toHaveLength(1);
  });

  test("are each looked at to the last byte", async () => {
    const { length } = text;
    for (const [device, at] of [
      [1, 0],
      [1, 200_000],
      [1, 250_000],
      [2, 131_071],
      [2, 131_072],
      [2, length - 1],
      [2, length],
    ] as const) {
      const sources = make();
      const [first, ...others] = (await scanned(sources))[device]!.areas[0]!.copy!.ranges;
      const place = at < first!.length ? first!.offset + at : others[0]!.offset + at - first!.length;
      sources[device]!.bytes[place]! ^= 1;
      const areas = (await scanned(sources)).map((scan) => scan.areas[0]!);
      expect(areas.map(({ copy }) => copy !== null)).toEqual([0, 1, 2].map((index) => index !== device));
      expect(areas[device]!.error).toMatchObject({
        code: "CEV_BAD_METADATA",
        message: expect.stringMatching(/checksum/) as unknown,
        place: { source: `d${device}`, field: "text" },
      });
    }
  });

  test("do not depend on which one is looked at first: the first may be the damaged one", async () => {
    const sources = make();
    sources[0]!.bytes[AREA.offset + 600]! ^= 1;
    const areas = (await scanned(sources)).map((scan) => scan.areas[0]!);
    expect(areas.map(({ copy }) => copy !== null)).toEqual([false, true, true]);
  });
});

test("what is no physical volume, and what cannot be accepted as one, stand in their places", async () => {
  const [good, blank, damaged] = [0, 1, 2].map((index) => new Source(`d${index}`, uuidOf("a"), 512, true));
  blank!.bytes.fill(0);
  damaged!.bytes[600]! ^= 1;
  const found = await scanPhysicalVolumes([blank!, good!, damaged!]);
  expect(found[0]).toBeNull();
  expect(found[1]).toMatchObject({ source: { name: "d0" } });
  expect(found[2]).toBeInstanceOf(MetadataError);
});

test("a device that cannot be read is told of when nothing is under way on the others any more", async () => {
  const [slow, bad] = [0, 1].map((index) => new Source(`d${index}`, uuidOf("a"), 512, false));
  let underWay = 0;
  const read = slow!.read.bind(slow);
  slow!.read = async (offset, length) => {
    underWay++;
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => void setImmediate(resolve));
    underWay--;
    return read(offset, length);
  };
  bad!.read = () => Promise.reject(new CevError("CEV_DEVICE_LOST", "gone"));
  await expect(scanPhysicalVolumes([slow!, bad!])).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
  expect(underWay).toBe(0);
});
