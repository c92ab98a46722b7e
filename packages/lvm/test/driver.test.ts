import { Device, openTree } from "@cev/core";
import { describe, expect, test } from "vitest";
import { lvmDriver } from "../src/index.ts";
import { groupText, linear, makePv, uuidOf } from "./support/group-image.ts";
import { A, B, base, codes, names, openWith, pv } from "./support/base-group.ts";
import { ImageLayer } from "./support/image-layer.ts";
import { environment, openGroup } from "./support/open.ts";

describe("probe", () => {
  async function probe(layer: ImageLayer): Promise<unknown> {
    await using device = await Device.open(layer, environment, { isReadOnly: true });
    return await lvmDriver.probe!(device);
  }

  test("tells the group, and the UUIDs of all that belong to it", async () => {
    expect(await probe(pv("d0", A, groupText(base)))).toEqual({
      summary: "LVM2 physical volume, VG vg0",
      group: uuidOf("g"),
      details: { uuid: A, group: { name: "vg0", uuid: uuidOf("g"), seqno: 1 }, damaged: [] },
      members: [A, B],
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

describe("groups", () => {
  const one = groupText({ ...base, pvs: [A], volumes: { left: linear(uuidOf("l"), [[4, "pv0", 0]]) } });
  const foreign = groupText({
    uuid: uuidOf("h"),
    pvs: [B],
    volumes: { other: linear(uuidOf("o"), [[2, "pv0", 0]]) },
  });

  test("one with a single volume has it below its name, too", async () => {
    expect(lvmDriver.yieldsChildren).toBe(true);
    expect(names(await openGroup([pv("d0", A, one)]))).toEqual(["vg0/left"]);
  });

  test("two of different names open together", async () => {
    const layers = [pv("d0", A, one), pv("d1", B, foreign.replace("vg0 {", "vg1 {"))];
    expect(names(await openGroup(layers))).toEqual(["vg0/left", "vg1/other"]);
    expect(names(await openGroup(layers, { group: "vg1" }))).toEqual(["vg1/other"]);
    await expect(openGroup(layers, { group: "vg2" })).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
  });

  test("one with an unknown status flag does not keep another closed", async () => {
    const strange = foreign.replace("vg0 {", "vg1 {").replace('"WRITE"]\nflags', '"WRITE", "ODD"]\nflags');
    const layers = [pv("d0", A, one), pv("d1", B, strange)];
    const opened = await openGroup(layers);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(codes(opened)).toEqual(["CEV_UNKNOWN_FEATURE"]);
    await expect(openGroup(layers, { group: "vg1" })).rejects.toMatchObject({ code: "CEV_UNKNOWN_FEATURE" });
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

test("opening writes nothing; read-only volumes claim no right to write", async () => {
  const text = groupText(base);
  const layers = [pv("d0", A, text), pv("d1", B, text)];
  const { devices, problems } = await openGroup(layers, { isReadOnly: true });
  for (const { layer } of devices) await openTree(layer);
  expect(problems).toEqual([]);
  expect(devices.map(({ layer }) => layer.support.write)).toEqual(Array(3).fill("none"));
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
