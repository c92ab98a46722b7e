import { Device, openTree } from "@cev/core";
import { describe, expect, test } from "vitest";
import { lvmDriver } from "../src/index.ts";
import { groupText, linear, makePv, segment, uuidOf, volume } from "./support/group-image.ts";
import type { GroupRecipe } from "./support/group-image.ts";
import { ImageLayer } from "./support/image-layer.ts";
import { environment, openGroup, readAll } from "./support/open.ts";
import type { Opened } from "./support/open.ts";

const A = uuidOf("a");
const B = uuidOf("b");
const C = uuidOf("c");

const base: GroupRecipe = {
  pvs: [A, B],
  volumes: {
    left: linear(uuidOf("l"), [[4, "pv0", 0]]),
    right: linear(uuidOf("r"), [[4, "pv1", 0]]),
    both: linear(uuidOf("t"), [
      [4, "pv0", 10],
      [4, "pv1", 10],
    ]),
  },
};

/** One physical volume with this text in one area. */
function pv(name: string, uuid: string, text: string | null): ImageLayer {
  return makePv({ name, uuid, texts: text === null ? [] : [{ text }] });
}

function codes({ problems }: Opened): string[] {
  return problems.map(({ code }) => code);
}

function names({ devices }: Opened): (string | null)[] {
  return devices.map(({ name }) => name);
}

/** Opens a group of two devices in which `volumes` stand beside each other, as seen from its text. */
async function openWith(
  volumes: Readonly<Record<string, string>>,
  more: Partial<GroupRecipe> = {},
): Promise<Opened> {
  const text = groupText({ ...base, volumes: { ...base.volumes, ...volumes }, ...more });
  return await openGroup([pv("d0", A, text), pv("d1", B, text)]);
}

describe("probe", () => {
  async function probe(layer: ImageLayer): Promise<unknown> {
    await using device = await Device.open(layer, environment, { isReadOnly: true });
    return await lvmDriver.probe!(device);
  }

  test("tells the group, and the UUIDs of all that belong to it", async () => {
    expect(await probe(pv("d0", A, groupText(base)))).toEqual({
      summary: "LVM2 physical volume, VG vg0",
      group: uuidOf("g"),
      details: { uuid: A, group: { name: "vg0", uuid: uuidOf("g"), seqno: 1 }, members: [A, B], damaged: [] },
    });
  });

  test("a physical volume that knows no group answers with its own UUID", async () => {
    expect(await probe(pv("d0", A, null))).toMatchObject({
      summary: "LVM2 physical volume without metadata of its own",
      group: A,
    });
    expect(await probe(makePv({ name: "d0", uuid: A, texts: [null] }))).toMatchObject({
      summary: "LVM2 physical volume of no group",
      group: A,
    });
    const damaged = pv("d0", A, groupText(base));
    damaged.bytes[4700]! ^= 1;
    expect(await probe(damaged)).toMatchObject({
      summary: "LVM2 physical volume, metadata damaged",
      group: A,
      details: { damaged: [expect.stringContaining("LVM2 metadata area 0")] },
    });
  });

  test("other contents are nothing, also on a device shorter than a label", async () => {
    expect(await probe(new ImageLayer("d0", new Uint8Array(8192)))).toBeNull();
    expect(await probe(new ImageLayer("d0", new Uint8Array(512)))).toBeNull();
    expect(await probe(new ImageLayer("d0", new Uint8Array(0)))).toBeNull();
  });

  test("a damaged label is an error with its place", async () => {
    const layer = pv("d0", A, null);
    layer.bytes[600]! ^= 1;
    await expect(probe(layer)).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      place: { source: "d0", structure: "LVM2 label in sector 1", byteOffset: 528 },
    });
  });
});

describe("copies of the metadata", () => {
  test("the newest counts, wherever it lies, and those out of date are named", async () => {
    const old = groupText({ ...base, seqno: 3, volumes: {} });
    const newest = groupText({ ...base, seqno: 4 });
    const layers = [
      makePv({ name: "d0", uuid: A, texts: [{ text: old }, { text: old }] }),
      makePv({ name: "d1", uuid: B, texts: [{ text: old }, { text: newest, offset: 8000 }] }),
    ];
    const opened = await openGroup(layers);
    expect(names(opened)).toEqual(["vg0/left", "vg0/right", "vg0/both"]);
    expect(opened.problems.map(({ code, device }) => [code, device])).toEqual([
      ["CEV_BAD_METADATA", "d0"],
      ["CEV_BAD_METADATA", "d0"],
      ["CEV_BAD_METADATA", "d1"],
    ]);
    expect(opened.problems[0]!.message).toMatch(/number 3, the newest is 4/);
  });

  test("areas that are not in use are not looked at", async () => {
    const newer = { text: groupText({ ...base, seqno: 9, volumes: {} }), flags: 1 };
    const opened = await openGroup([
      makePv({ name: "d0", uuid: A, texts: [newer, { text: groupText(base) }] }),
      pv("d1", B, null),
    ]);
    expect(names(opened)).toHaveLength(3);
    expect(opened.problems).toEqual([]);
  });

  test("those of one number may differ in who wrote them, and in nothing else", async () => {
    const text = groupText(base);
    const later = text.replace("creation_time = 1", "creation_time = 2");
    expect(codes(await openGroup([pv("d0", A, text), pv("d1", B, later)]))).toEqual([]);
    const other = groupText({ ...base, volumes: {} });
    await expect(openGroup([pv("d0", A, text), pv("d1", B, other)])).rejects.toMatchObject({
      code: "CEV_AMBIGUOUS",
      message: expect.stringMatching(/d0.*d1/) as unknown,
    });
  });

  test("a newest one that does not hold together is an error; an older one is not taken for it", async () => {
    const broken = groupText({ ...base, seqno: 2 }).replace('stripes = ["pv0", 10]', 'stripes = ["pv0", 3]');
    await expect(openGroup([pv("d0", A, groupText(base)), pv("d1", B, broken)])).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      message: expect.stringMatching(/^line \d+, column 10: extent 3 of "pv0"/) as unknown,
      place: { source: "d1", structure: "LVM2 metadata area 0", field: "text" },
    });
  });

  test("a label in any of the first four sectors is found", async () => {
    for (const labelSector of [0, 1, 2, 3]) {
      const text = groupText({ ...base, pvs: [A], volumes: { left: linear(uuidOf("l"), [[4, "pv0", 0]]) } });
      expect(
        names(await openGroup([makePv({ name: "d0", uuid: A, labelSector, texts: [{ text }] })])),
      ).toEqual(["vg0/left"]);
    }
  });
});

describe("physical volumes", () => {
  const text = groupText(base);

  test("one without metadata areas is found by its UUID", async () => {
    const layers = [pv("d0", A, text), pv("d1", B, null)];
    const opened = await openGroup(layers);
    expect(opened.problems).toEqual([]);
    const right = opened.devices.find(({ name }) => name === "vg0/right")!;
    expect(await readAll(right.layer)).toEqual(layers[1]!.bytes.slice(65_536, 65_536 + 4 * 4096));
  });

  test("where one is missing, what lies on the others opens and what does not is named", async () => {
    const opened = await openGroup([pv("d0", A, text)]);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(opened.problems).toEqual([
      expect.objectContaining({ severity: "warning", code: "CEV_DEGRADED" }),
      expect.objectContaining({ severity: "error", code: "CEV_DEGRADED", device: "vg0/right" }),
      expect.objectContaining({ severity: "error", code: "CEV_DEGRADED", device: "vg0/both" }),
    ]);
    for (const { message } of opened.problems) expect(message).toContain(B);
    expect(opened.devices[0]!.details).toMatchObject({
      group: {
        physicalVolumes: [
          { device: "d0", state: "present" },
          { device: null, state: "missing" },
        ],
      },
    });
  });

  test("one that was missing when the group was last changed stays missing when it is back", async () => {
    const marked = groupText({ ...base, pvMore: ["flags = []", 'flags = ["MISSING"]'] });
    const opened = await openGroup([pv("d0", A, marked), pv("d1", B, null)]);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(opened.problems[0]).toMatchObject({ code: "CEV_DEGRADED", device: "d1" });
  });

  test("two devices with one UUID are refused, both named", async () => {
    await expect(openGroup([pv("d0", A, text), pv("copy", A, text)])).rejects.toMatchObject({
      code: "CEV_AMBIGUOUS",
      message: expect.stringMatching(/d0 and copy/) as unknown,
    });
  });

  test("one that the newest description does not list is named and not used", async () => {
    const before = groupText({ ...base, pvs: [A, B, C], seqno: 0 });
    const layers = [pv("d0", A, text), pv("d1", B, text), pv("d2", C, before)];
    const opened = await openGroup(layers);
    expect(names(opened)).toHaveLength(3);
    expect(opened.problems.map(({ code, device }) => [code, device])).toEqual([
      ["CEV_BAD_METADATA", "d2"],
      ["CEV_NOT_FOUND", "d2"],
    ]);
  });

  test("one that two groups list is refused", async () => {
    const other = groupText({ name: "vg1", uuid: uuidOf("h"), pvs: [A, C], volumes: {} });
    await expect(openGroup([pv("d0", A, text), pv("d1", B, text), pv("d2", C, other)])).rejects.toMatchObject(
      {
        code: "CEV_AMBIGUOUS",
        message: expect.stringMatching(/d0 belongs to several groups/) as unknown,
      },
    );
  });

  test("one shorter than its group knows it leaves the volumes beyond its end out", async () => {
    const far = groupText({
      ...base,
      volumes: { ...base.volumes, far: linear(uuidOf("f"), [[1, "pv0", 200]]) },
    });
    const whole = pv("d0", A, far);
    const short = new ImageLayer("d0", whole.bytes.slice(0, 512 * 1024));
    const opened = await openGroup([short, pv("d1", B, far)]);
    expect(names(opened)).toEqual(["vg0/left", "vg0/right", "vg0/both"]);
    expect(opened.problems).toMatchObject([
      { severity: "warning", code: "CEV_BAD_METADATA", device: "d0" },
      { severity: "error", code: "CEV_BAD_METADATA", device: "vg0/far" },
    ]);
  });

  test("a damaged label leaves one out, and is an error where it is the only one", async () => {
    const layers = [pv("d0", A, text), pv("d1", B, text)];
    layers[1]!.bytes[600]! ^= 1;
    const opened = await openGroup(layers);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(opened.problems).toContainEqual(
      expect.objectContaining({ severity: "error", code: "CEV_BAD_METADATA", device: "d1" }),
    );
    await expect(openGroup([layers[1]!])).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
  });

  test("one of no group gives no devices, and says so", async () => {
    const opened = await openGroup([makePv({ name: "d0", uuid: A, texts: [null] })]);
    expect(opened.devices).toEqual([]);
    expect(opened.problems).toMatchObject([{ code: "CEV_NOT_FOUND", device: "d0" }]);
  });
});

describe("groups", () => {
  const one = groupText({ ...base, pvs: [A], volumes: { left: linear(uuidOf("l"), [[4, "pv0", 0]]) } });
  const foreign = groupText({
    uuid: uuidOf("h"),
    pvs: [B],
    volumes: { other: linear(uuidOf("o"), [[2, "pv0", 0]]) },
  });

  test("two of one name are refused, both named, until one is chosen by its UUID", async () => {
    const layers = [pv("d0", A, one), pv("d1", B, foreign)];
    await expect(openGroup(layers)).rejects.toMatchObject({
      code: "CEV_AMBIGUOUS",
      message: expect.stringMatching(/d0.*d1/) as unknown,
    });
    await expect(openGroup(layers, { group: "vg0" })).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
    expect(names(await openGroup(layers, { group: uuidOf("h") }))).toEqual(["vg0/other"]);
  });

  test("two of different names open together", async () => {
    const layers = [pv("d0", A, one), pv("d1", B, foreign.replace("vg0 {", "vg1 {"))];
    expect(names(await openGroup(layers))).toEqual(["vg0/left", "vg1/other"]);
    expect(names(await openGroup(layers, { group: "vg1" }))).toEqual(["vg1/other"]);
    await expect(openGroup(layers, { group: "vg2" })).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
  });

  test("an unknown status flag stops the group, an exported or shared one is read-only", async () => {
    await expect(openWith({}, { status: '["READ", "WRITE", "FROM_THE_FUTURE"]' })).rejects.toMatchObject({
      code: "CEV_UNKNOWN_FEATURE",
    });
    for (const recipe of [
      { status: '["EXPORTED", "READ", "WRITE"]' },
      { status: '["READ"]' },
      { more: 'lock_type = "sanlock"' },
    ]) {
      const opened = await openWith({}, recipe);
      expect(opened.devices.map(({ state }) => state)).toEqual(Array(3).fill("active, read-only"));
      expect(codes(opened)).toEqual(Array(3).fill("CEV_READ_ONLY"));
    }
  });
});

describe("volumes", () => {
  test("those that are not visible are not offered", async () => {
    const opened = await openWith({ hidden: linear(uuidOf("h"), [[1, "pv0", 50]], '["READ", "WRITE"]') });
    expect(names(opened)).not.toContain("vg0/hidden");
    expect(opened.problems).toEqual([]);
  });

  test("those of other types, of unknown flags and empty ones are refused by name while others open", async () => {
    const opened = await openWith({
      mirrored: volume(uuidOf("m"), [segment('type = "raid1"\ndevice_count = 2\nraids = ["m0", "i0"]')]),
      zeroes: volume(uuidOf("z"), [segment('type = "zero"')]),
      odd: linear(uuidOf("o"), [[1, "pv0", 50]], '["READ", "WRITE", "VISIBLE", "FROM_THE_FUTURE"]'),
      empty: volume(uuidOf("e"), []),
    });
    expect(names(opened)).toEqual(["vg0/left", "vg0/right", "vg0/both"]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      ["vg0/mirrored", "CEV_UNKNOWN_FEATURE"],
      ["vg0/zeroes", "CEV_UNKNOWN_FEATURE"],
      ["vg0/odd", "CEV_UNKNOWN_FEATURE"],
      ["vg0/empty", "CEV_BAD_METADATA"],
    ]);
    expect(opened.problems[0]!.message).toContain('"raid1"');
  });

  test("a snapshot's store is refused, and its origin is read-only", async () => {
    const opened = await openWith({
      store: linear(uuidOf("o"), [[2, "pv0", 50]]),
      snapshot0: volume(
        uuidOf("s"),
        [segment('type = "snapshot"\nchunk_size = 8\norigin = "left"\ncow_store = "store"', 4)],
        '["READ", "WRITE"]',
      ),
    });
    expect(opened.devices.map(({ name, state }) => [name, state])).toEqual([
      ["vg0/left", "active, read-only"],
      ["vg0/right", "active"],
      ["vg0/both", "active"],
    ]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      ["vg0/left", "CEV_READ_ONLY"],
      ["vg0/store", "CEV_UNKNOWN_FEATURE"],
    ]);
  });

  test("while a snapshot is merged, its origin is refused", async () => {
    const opened = await openWith({
      store: linear(uuidOf("o"), [[2, "pv0", 50]]),
      snapshot0: volume(
        uuidOf("s"),
        [segment('type = "snapshot"\nchunk_size = 8\norigin = "left"\nmerging_store = "store"', 4)],
        '["READ", "WRITE"]',
      ),
    });
    expect(names(opened)).toEqual(["vg0/right", "vg0/both"]);
    expect(codes(opened)).toEqual(["CEV_UNKNOWN_FEATURE", "CEV_UNKNOWN_FEATURE"]);
  });

  test("one that is not marked writable is read-only", async () => {
    const opened = await openWith({ fixed: linear(uuidOf("f"), [[1, "pv0", 50]], '["READ", "VISIBLE"]') });
    const fixed = opened.devices.find(({ name }) => name === "vg0/fixed")!;
    expect(fixed.layer.support.write).toBe("none");
    expect(codes(opened)).toEqual(["CEV_READ_ONLY"]);
  });

  test("stripes are read chunk by chunk from one device after the other", async () => {
    const text = groupText({
      ...base,
      volumes: {
        fast: volume(uuidOf("f"), [
          segment('type = "striped"\nstripe_count = 2\nstripe_size = 4\nstripes = ["pv0", 1, "pv1", 7]', 2),
        ]),
      },
    });
    const layers = [pv("d0", A, text), pv("d1", B, text)];
    const { devices } = await openGroup(layers);
    const chunks = [0, 1].flatMap((row) =>
      [1, 7].map((extent, index) => {
        const start = 65_536 + extent * 4096 + row * 2048;
        return layers[index]!.bytes.slice(start, start + 2048);
      }),
    );
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(Buffer.concat(chunks));
  });

  test("stripes that do not fit extents or blocks are refused", async () => {
    const lines = 'type = "striped"\nstripe_count = 2\nstripe_size = 3\nstripes = ["pv0", 50, "pv1", 50]';
    const opened = await openWith({ odd: volume(uuidOf("o"), [segment(lines)]) });
    expect(opened.problems).toMatchObject([{ code: "CEV_BAD_METADATA", device: "vg0/odd" }]);
  });

  test("extents that are not aligned to a device's blocks are refused", async () => {
    const text = groupText(base);
    const { bytes } = pv("d1", B, text);
    const opened = await openGroup([
      pv("d0", A, text),
      new ImageLayer("d1", bytes, { logicalBlockSize: 16_384 }),
    ]);
    expect(names(opened)).toEqual(["vg0/left", "vg0/right"]);
    expect(opened.problems).toMatchObject([{ code: "CEV_BAD_METADATA", device: "vg0/both" }]);
  });

  test("those named in the options are opened, and one that cannot be is an error", async () => {
    const text = groupText(base);
    const layers = [pv("d0", A, text), pv("d1", B, text)];
    expect(names(await openGroup(layers, { volumes: ["both", "left"] }))).toEqual(["vg0/both", "vg0/left"]);
    await expect(openGroup(layers, { volumes: ["nothing"] })).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
    });
    await expect(openGroup([layers[0]!], { volumes: ["both"] })).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
  });

  test("a description leads back to the same volume", async () => {
    const text = groupText(base);
    const layers = [pv("d0", A, text), pv("d1", B, text)];
    const { devices } = await openGroup(layers);
    const description = devices[1]!.layer.describe();
    expect(description).toEqual({
      driver: "@cev/lvm",
      options: { group: uuidOf("g"), volumes: ["right"] },
      lowers: layers.map((layer) => layer.describe()),
    });
    const again = await openGroup(layers, description.options);
    expect(names(again)).toEqual(["vg0/right"]);
    expect(again.devices[0]!.layer.limits).toEqual(devices[1]!.layer.limits);
  });
});

test("opening writes nothing; read-only volumes claim no right to write", async () => {
  const text = groupText(base);
  const layers = [pv("d0", A, text), pv("d1", B, text)];
  const { devices, problems } = await openGroup(layers, { isReadOnly: true });
  for (const { layer } of devices) await openTree(layer);
  expect(problems).toEqual([]);
  expect(devices.map(({ state }) => state)).toEqual(Array(3).fill("active, read-only"));
  await using writer = await Device.open(layers[0]!, environment);
  expect(writer.isReadOnly).toBe(false);
  expect(layers.map(({ writeCount }) => writeCount)).toEqual([0, 0]);
});

test("a group opened twice for writing is refused the second time", async () => {
  const text = groupText(base);
  const layers = [pv("d0", A, text), pv("d1", B, text)];
  const [first, second] = [await openGroup(layers), await openGroup(layers)];
  await using left = await Device.open(first.devices[0]!.layer, environment);
  await using both = await Device.open(first.devices[2]!.layer, environment);
  await expect(Device.open(second.devices[0]!.layer, environment)).rejects.toMatchObject({
    code: "CEV_BUSY",
  });
  expect([left.size, both.size]).toEqual([16_384, 32_768]);
});
