import { Device, Io, Op } from "@cev/core";
import { FaultLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { A, B, base, codes, names, openWith, pv } from "./support/base-group.ts";
import { groupText, linear, segment, uuidOf, volume } from "./support/group-image.ts";
import { ImageLayer } from "./support/image-layer.ts";
import { environment, openGroup, readAll } from "./support/open.ts";

describe("volumes", () => {
  test("those that are not visible are not offered", async () => {
    const opened = await openWith({ hidden: linear(uuidOf("h"), [[1, "pv0", 50]], '["READ", "WRITE"]') });
    expect(names(opened)).not.toContain("vg0/hidden");
    expect(opened.problems).toEqual([]);
  });

  test("those of other types, of unknown flags and empty ones are refused by name while others open", async () => {
    const opened = await openWith({
      cached: volume(uuidOf("m"), [segment('type = "cache"\ncache_pool = "p0"\norigin = "o0"')]),
      future: volume(uuidOf("z"), [segment('type = "from_the_future"')]),
      odd: linear(uuidOf("o"), [[1, "pv0", 50]], '["READ", "WRITE", "VISIBLE", "FROM_THE_FUTURE"]'),
      empty: volume(uuidOf("e"), []),
    });
    expect(names(opened)).toEqual(["vg0/left", "vg0/right", "vg0/both"]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      ["vg0/cached", "CEV_UNKNOWN_FEATURE"],
      ["vg0/future", "CEV_UNKNOWN_FEATURE"],
      ["vg0/odd", "CEV_UNKNOWN_FEATURE"],
      ["vg0/empty", "CEV_BAD_METADATA"],
    ]);
    expect(opened.problems[0]!.message).toContain('"cache"');
  });

  /** As LVM2 writes it: the store is hidden and has the snapshot's name, the snapshot has one that LVM2 made up. */
  function snapshotOf(
    origin: string,
    key: string,
    storeStatus = '["READ", "WRITE"]',
  ): Record<string, string> {
    const lines = `type = "snapshot"\nchunk_size = 8\norigin = "${origin}"\n${key} = "snap"`;
    return {
      snapshot0: volume(uuidOf("s"), [segment(lines, 4)]),
      snap: linear(uuidOf("o"), [[2, "pv0", 50]], storeStatus),
    };
  }

  test("without an engine a snapshot is refused by the name it was given, and its origin is read-only", async () => {
    const opened = await openWith(snapshotOf("left", "cow_store"));
    expect(opened.devices.map(({ name, state }) => [name, state])).toEqual([
      ["vg0/left", "active, read-only"],
      ["vg0/right", "active"],
      ["vg0/both", "active"],
    ]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      ["vg0/left", "CEV_READ_ONLY"],
      ["vg0/snap", "CEV_UNKNOWN_FEATURE"],
    ]);
    expect(opened.problems[0]!.message).toContain("spoil snap,");
    expect(opened.problems[1]!.message).toContain("that needs @cev/snapshot");
  });

  test("a snapshot's store is not taken for a volume, also where it is visible", async () => {
    const opened = await openWith(snapshotOf("left", "cow_store", '["READ", "WRITE", "VISIBLE"]'));
    expect(names(opened)).not.toContain("vg0/snap");
    expect(opened.problems.map(({ device }) => device)).toEqual(["vg0/left", "vg0/snap"]);
  });

  test("while a snapshot is merged, its origin is refused without an engine", async () => {
    const opened = await openWith(snapshotOf("left", "merging_store"));
    expect(names(opened)).toEqual(["vg0/right", "vg0/both"]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      ["vg0/left", "CEV_UNKNOWN_FEATURE"],
    ]);
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

  test("a segment that would put the next one within a block of its device is refused", async () => {
    const text = groupText({
      ...base,
      volumes: {
        even: linear(uuidOf("e"), [
          [2, "pv0", 1],
          [2, "pv1", 0],
        ]),
        odd: linear(uuidOf("o"), [
          [1, "pv0", 5],
          [2, "pv1", 4],
        ]),
      },
    });
    const { bytes } = pv("d1", B, text);
    const lowers = [pv("d0", A, text), new ImageLayer("d1", bytes, { logicalBlockSize: 8192 })];
    const opened = await openGroup(lowers);
    expect(names(opened)).toEqual(["vg0/even"]);
    expect(opened.devices[0]!.layer.limits.logicalBlockSize).toBe(8192);
    expect(opened.problems).toMatchObject([{ code: "CEV_BAD_METADATA", device: "vg0/odd" }]);
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

  test("a device that dies hurts the volumes that lie on it, and of those only the part that does", async () => {
    const text = groupText(base);
    const disks = [pv("d0", A, text), pv("d1", B, text)] as const;
    const fault = new FaultLayer(disks[1], environment);
    const { devices } = await openGroup([disks[0], fault]);
    const [left, right, both] = await Promise.all(
      devices.map(({ layer }) => Device.open(layer, environment, { isReadOnly: true })),
    );
    fault.lose();
    expect(await left!.read(0, left!.size)).toHaveLength(left!.size);
    await expect(right!.read(0, 512)).rejects.toMatchObject({ code: "CEV_DEVICE_LOST" });
    const io = new Io(environment.runQueue).prepare(Op.read, 0, 8 * 4096, new Uint8Array(8 * 4096));
    devices[2]!.layer.submit(io);
    expect(io).toMatchObject({ transferred: 4 * 4096, error: { code: "CEV_DEVICE_LOST" } });
    for (const device of [left, right, both]) await device!.close();
  });

  test.each([
    ["the label", 0],
    ["a metadata area", 8],
  ])("of a group whose extents lie over %s are only read", async (_, peStart) => {
    const text = groupText(base).replace("pe_start = 128", `pe_start = ${peStart}`);
    const opened = await openGroup([pv("d0", A, text), pv("d1", B, text)]);
    expect(opened.devices.map(({ layer }) => layer.support.write)).toEqual(["none", "none", "none"]);
    expect(codes(opened)).toEqual(["CEV_READ_ONLY", "CEV_READ_ONLY", "CEV_READ_ONLY"]);
    expect(opened.problems[0]!.message).toContain("d0");
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
