import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import type { CommandRow } from "../../src/index.ts";
import { CommandBench, benchOf } from "../support/command-bench.ts";
import { groupText, linear, makePv, uuidOf } from "../support/group-image.ts";
import { cutsOf } from "../support/journal-layer.ts";

async function makeBench(sizesMib: readonly number[] = [3, 3, 2]): Promise<CommandBench> {
  const bench = await CommandBench.withGroup(sizesMib);
  await bench.runAll(
    { command: "lvcreate", name: "root", extents: 4, places: ["d0"] },
    { command: "lvcreate", name: "home", extents: 4, places: ["d1"] },
  );
  return bench;
}

/** The devices without one of them. */
function without(bench: CommandBench, name: string): CommandBench {
  return benchOf(
    bench.images(),
    bench.layers.map((layer) => layer.name).filter((one) => one !== name),
  );
}

/** A device's newer contents go back to where it belongs. */
function putBack(from: CommandBench, to: CommandBench): void {
  for (const layer of from.layers) to.layers.find(({ name }) => name === layer.name)!.bytes.set(layer.bytes);
}

function codes(rows: readonly CommandRow[]): unknown[] {
  return rows.map(({ code }) => code);
}

describe("a group of which a physical volume is missing", () => {
  test("is not changed, but volumes can be removed, and the text then says what was missing", async () => {
    const partial = without(await makeBench(), "d2");
    const request = { command: "lvcreate", name: "x", extents: 1 } as const;
    await expect(partial.run(request)).rejects.toMatchObject({ code: "CEV_DEGRADED" });
    await partial.run({ command: "lvremove", volumes: ["home"] });
    const { physicalVolumes } = await partial.group();
    expect(physicalVolumes.map(({ isMarkedMissing }) => isMarkedMissing)).toEqual([false, false, true]);
  });

  test("is whole again by vgextend --restoremissing", async () => {
    const bench = await makeBench();
    const partial = without(bench, "d2");
    await partial.run({ command: "lvremove", volumes: ["home"] });
    putBack(partial, bench);
    await expect(bench.run({ command: "lvcreate", extents: 1 })).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    await bench.run({ command: "vgextend", devices: ["d2"], restoreMissing: true });
    await bench.run({ command: "lvcreate", name: "x", extents: 4, places: ["d2"] });
    expect(await bench.sizes()).toEqual({ root: 4, x: 4 });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
  });

  test("loses an empty one by vgreduce --removemissing, and one in use with its volumes by force", async () => {
    const bench = await makeBench();
    const empty = without(bench, "d2");
    await empty.run({ command: "vgreduce", removeMissing: true });
    expect((await empty.group()).physicalVolumes).toHaveLength(2);
    expect(await empty.sizes()).toEqual({ root: 4, home: 4 });

    const used = without(bench, "d1");
    await expect(used.run({ command: "vgreduce", removeMissing: true })).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      message: expect.stringMatching(/home/) as unknown,
    });
    const { messages } = await used.run({ command: "vgreduce", removeMissing: true, force: true });
    expect(messages).toContain('Logical volume "home" successfully removed.');
    expect(await used.sizes()).toEqual({ root: 4 });
    // What was away comes back, and is known to be out of date.
    putBack(used, bench);
    const { rows } = await bench.run({ command: "vgck" });
    expect(codes(rows)).toContain("CEV_NOT_FOUND");
    await expect(bench.run({ command: "vgextend", devices: ["d1"] })).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    await bench.run({ command: "vgextend", devices: ["d1"], force: true });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
  });
});

describe("vgck", () => {
  test("names every fault, and --updatemetadata mends damaged areas", async () => {
    const bench = await makeBench();
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
    bench.layers[1]!.bytes[4096 + 30]! ^= 1;
    const { rows } = await bench.run({ command: "vgck" });
    expect(rows).toMatchObject([{ severity: "warning", code: "CEV_BAD_METADATA", device: "d1" }]);
    const { warnings } = await bench.run({ command: "lvcreate", name: "x", extents: 1 });
    expect(warnings.join()).toMatch(/area 0 of d1 is damaged/);
    await bench.run({ command: "vgck", updateMetadata: true });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
    expect(await benchOf(bench.images(), ["d1"]).sizes()).toEqual({ root: 4, home: 4, x: 1 });
  });

  test("names extents that lie over the group's own metadata, and such a group is not changed", async () => {
    const recipe = { pvs: [uuidOf("a")], volumes: { root: linear(uuidOf("r"), [[10, "pv0", 0]]) } };
    const good = groupText(recipe);
    for (const sector of [0, 1, 8]) {
      const text = good.replace("pe_start = 128", `pe_start = ${sector}`);
      const { bytes } = makePv({ name: "d0", uuid: uuidOf("a"), texts: [{ text }] });
      const bench = new CommandBench(new Map([["d0", bytes]]));
      expect(codes((await bench.run({ command: "vgck" })).rows)).toContain("CEV_BAD_METADATA");
      for (const request of [
        { command: "lvcreate", extents: 1 },
        { command: "vgchange", addTags: ["t"] },
        { command: "lvremove", volumes: ["root"] },
      ] as const)
        await expect(bench.run(request)).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
      expect(bench.journal.filter(({ bytes: written }) => written !== null)).toEqual([]);
    }
  });

  test("does not take a free physical volume beside the group for a fault", async () => {
    const bench = CommandBench.blank([3, 2]);
    await bench.run({ command: "vgcreate", group: "vg", devices: ["d0"], extentSize: "64k" });
    await bench.run({ command: "pvcreate", devices: ["d1"] });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
  });

  test("names what left the group while it was away, and --updatemetadata sets it free", async () => {
    const bench = await makeBench();
    const rest = without(bench, "d2");
    await rest.run({ command: "vgreduce", removeMissing: true });
    putBack(rest, bench);
    const { rows } = await bench.run({ command: "vgck" });
    expect(rows.every(({ device }) => device === "d2")).toBe(true);
    expect(codes(rows)).toEqual(["CEV_BAD_METADATA", "CEV_NOT_FOUND"]);
    await bench.run({ command: "vgck", updateMetadata: true });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
    await bench.run({ command: "vgextend", devices: ["d2"] });
    expect((await bench.group()).physicalVolumes).toHaveLength(3);
  });

  test("answers, too, where no group can be put together", async () => {
    const bench = await makeBench();
    const images = bench.images();
    const twice = new CommandBench(new Map([...images, ["copy", images.get("d0")!.slice()]]));
    const { rows } = await twice.run({ command: "vgck" });
    expect(codes(rows)).toContain("CEV_AMBIGUOUS");
  });
});

describe("vgcfgbackup and vgcfgrestore", () => {
  test("bring a removed volume back, with its contents", async () => {
    const bench = await makeBench();
    const { text } = await bench.run({ command: "vgcfgbackup" });
    const before = bench.images();
    await bench.runAll(
      { command: "lvremove", volumes: ["home"] },
      { command: "lvrename", volume: "root", newName: "boot" },
    );
    const { seqnoBefore, seqnoAfter } = await bench.run({ command: "vgcfgrestore", text: text! });
    expect(seqnoAfter).toBe(seqnoBefore! + 1);
    expect(await bench.sizes()).toEqual({ root: 4, home: 4 });
    for (const { name, bytes } of bench.layers)
      expect(Buffer.compare(bytes.subarray(1024 * 1024), before.get(name)!.subarray(1024 * 1024))).toBe(0);
  });

  test("let go what joined since, and make a lost physical volume anew", async () => {
    const bench = await makeBench([3, 3]);
    const { text } = await bench.run({ command: "vgcfgbackup" });
    const uuid = (await bench.group()).physicalVolumes[1]!.uuid;
    bench.layers[1]!.bytes.fill(0);
    await expect(bench.run({ command: "vgcfgrestore", text: text! })).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    await bench.run({ command: "pvcreate", devices: ["d1"], uuid, restoreText: text! });
    await bench.run({ command: "vgcfgrestore", text: text! });
    expect(await bench.sizes()).toEqual({ root: 4, home: 4 });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
  });

  test("bring a group back of which every copy is damaged; all of them are named before", async () => {
    const bench = await makeBench([3, 3]);
    const { text } = await bench.run({ command: "vgcfgbackup" });
    for (const { bytes } of bench.layers) bytes.fill(0x58, 4096, 4100);
    const { rows } = await bench.run({ command: "vgck" });
    expect(rows.map(({ device }) => device)).toEqual(["d0", "d1"]);
    await expect(bench.run({ command: "lvremove", volumes: ["home"] })).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
    });
    await bench.run({ command: "vgcfgrestore", text: text! });
    expect(await bench.sizes()).toEqual({ root: 4, home: 4 });
    expect((await bench.run({ command: "vgck" })).rows).toEqual([]);
  });

  test("archive what is replaced before it is", async () => {
    const bench = await makeBench();
    const archived: { readonly seqno: number; readonly text: string }[] = [];
    const archive = (old: { readonly seqno: number; readonly text: string }): void => void archived.push(old);
    await bench.run({ command: "lvremove", volumes: ["home"] }, { archive });
    expect(archived).toMatchObject([{ group: "vg", seqno: 3 }]);
    await bench.run({ command: "vgcfgrestore", text: archived[0]!.text });
    expect(await bench.sizes()).toEqual({ root: 4, home: 4 });
    bench.journal.length = 0;
    const failing = (): never => {
      throw new Error("the archive is full");
    };
    await expect(bench.run({ command: "lvremove", volumes: ["home"] }, { archive: failing })).rejects.toThrow(
      /archive is full/,
    );
    expect(bench.journal.filter(({ bytes }) => bytes !== null)).toEqual([]);
  });
});

test("a command on a group leaves its clone alone", async () => {
  const bench = await makeBench([3, 3]);
  const images = bench.images();
  const both = new CommandBench(
    new Map(
      ["left", "right"].flatMap((place) =>
        ["d0", "d1"].map((name): [string, Uint8Array] => [`${place}/${name}`, images.get(name)!.slice()]),
      ),
    ),
  );
  const { rows } = await both.run({ command: "vgs" });
  expect(rows).toHaveLength(2);
  await expect(both.run({ command: "lvcreate", group: "vg", extents: 1 })).rejects.toMatchObject({
    code: "CEV_AMBIGUOUS",
  });
  const { text } = await both.run({ command: "vgcfgbackup", group: "vg@right" });
  for (const request of [
    { command: "lvcreate", group: "vg@right", name: "x", extents: 3, places: ["right/d1"] },
    { command: "lvremove", group: "vg@right", volumes: ["home"] },
    { command: "vgcfgrestore", group: "vg@right", text: text! },
    { command: "pvchange", devices: ["right/d0"], addTags: ["t"] },
    { command: "vgrename", group: "vg@right", newName: "vg2" },
  ] as const)
    await both.run(request);
  for (const { name, bytes } of both.layers)
    expect(Buffer.compare(bytes, images.get(name.slice(-2))!) === 0, name).toBe(name.startsWith("left"));
  expect((await both.run({ command: "vgs" })).rows).toMatchObject([{ group: "vg" }, { group: "vg2" }]);
});

describe("vgimportclone", () => {
  test("gives a clone a name and UUIDs of its own, so that it stands beside its original", async () => {
    const bench = await makeBench([3, 3]);
    const images = bench.images();
    const all = new CommandBench(
      new Map([...images, ["c0", images.get("d0")!.slice()], ["c1", images.get("d1")!.slice()]]),
      9,
    );
    const result = await all.run({ command: "vgimportclone", devices: ["c0", "c1"] });
    expect(result.group).toBe("vg1");
    const { rows } = await all.run({ command: "vgs" });
    expect(rows.map(({ group, missing, logicalVolumes }) => [group, missing, logicalVolumes])).toEqual([
      ["vg", 0, 2],
      ["vg1", 0, 2],
    ]);
    expect((await all.run({ command: "vgck" })).rows).toEqual([]);
    const pvs = await all.run({ command: "pvs" });
    expect(new Set(pvs.rows.map(({ uuid }) => uuid)).size).toBe(4);
  });

  test("that was cut short anywhere leaves a whole group, and is ended by asking for it again", async () => {
    const bench = await makeBench([3, 3]);
    const before = bench.images();
    const old = (await bench.group()).physicalVolumes.map(({ uuid }) => uuid);
    bench.journal.length = 0;
    const request = { command: "vgimportclone", devices: ["d0", "d1"], baseName: "clone" } as const;
    await bench.run(request);
    const made = (await bench.group()).physicalVolumes.map(({ uuid }) => uuid);
    expect(made.some((uuid) => old.includes(uuid))).toBe(false);
    const journal = [...bench.journal];
    let resumedCount = 0;
    for (const { images } of cutsOf(before, journal, new Random(4))) {
      const after = benchOf(images);
      const whole = [{ missing: 0, logicalVolumes: 2 }];
      expect((await after.run({ command: "vgs" })).rows).toMatchObject(whole);
      const { rows } = await after.run({ command: "vgck" });
      expect(rows.filter(({ severity }) => severity === "error")).toEqual([]);
      if (!rows.some(({ message }) => String(message).includes("vgimportclone was cut short"))) continue;
      resumedCount++;
      await expect(after.run({ command: "lvcreate", extents: 1 })).rejects.toMatchObject({
        code: "CEV_DEGRADED",
        place: { hint: expect.stringMatching(/vgimportclone .* again/) as unknown },
      });
      await after.run(request);
      expect((await after.group()).name).toBe("clone");
      expect((await after.group()).physicalVolumes.some(({ uuid }) => old.includes(uuid))).toBe(false);
      expect((await after.run({ command: "vgs" })).rows).toMatchObject(whole);
      expect((await after.run({ command: "vgck" })).rows).toEqual([]);
    }
    expect(resumedCount).toBeGreaterThan(3);
  });
});

describe("physical volumes", () => {
  test("are made, resized and removed", async () => {
    const bench = CommandBench.blank([3]);
    await bench.run({
      command: "pvcreate",
      devices: ["d0"],
      setSize: "2m",
      metadataCopies: 2,
      metadataSize: "64k",
    });
    expect((await bench.run({ command: "pvs" })).rows).toMatchObject([
      { device: "d0", group: null, deviceSize: 2 << 20 },
    ]);
    await expect(bench.run({ command: "pvresize", devices: ["d0"] })).rejects.toMatchObject({
      code: "CEV_NOT_SUPPORTED",
    });
    await bench.run({ command: "pvcreate", devices: ["d0"], setSize: "2m" });
    await bench.run({ command: "pvresize", devices: ["d0"] });
    expect((await bench.run({ command: "pvs" })).rows).toMatchObject([{ deviceSize: 3 << 20 }]);
    await bench.run({ command: "pvremove", devices: ["d0"] });
    expect((await bench.run({ command: "pvs" })).rows).toEqual([]);
  });

  test("of a group grow with their device", async () => {
    const bench = CommandBench.blank([3]);
    await bench.run({ command: "pvcreate", devices: ["d0"], setSize: "2m" });
    await bench.run({ command: "vgcreate", group: "vg", devices: ["d0"], extentSize: "64k" });
    expect((await bench.group()).physicalVolumes[0]!.extentCount).toBe(16);
    await bench.run({ command: "pvresize", devices: ["d0"] });
    expect((await bench.group()).physicalVolumes[0]).toMatchObject({ extentCount: 32, size: 3 << 20 });
  });

  test("that may not be allocated from get no new extents", async () => {
    const bench = await makeBench();
    await bench.run({ command: "pvchange", devices: ["d0"], isAllocatable: false, addTags: ["slow"] });
    await expect(bench.run({ command: "lvcreate", extents: 1, places: ["d0"] })).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    await bench.run({ command: "lvcreate", name: "x", extents: "100%FREE" });
    const { rows } = await bench.run({ command: "lvs" });
    expect(JSON.stringify(rows.find(({ name }) => name === "x")!["places"])).not.toContain("d0");
    await bench.run({ command: "pvchange", devices: ["d0"], isAllocatable: true });
    await bench.run({ command: "lvcreate", name: "y", extents: 2, places: ["@slow"] });
    expect(await bench.sizes()).toMatchObject({ y: 2 });
  });
});

test("keys that are not known survive every change", async () => {
  const bench = await makeBench();
  const { text } = await bench.run({ command: "vgcfgbackup" });
  const odd = text!
    .replace("format =", 'future_key = ["x", 7]\n\tformat =')
    .replace(/root \{/, 'root {\n\t\t\todd_volume_key = "kept"')
    .replace(/pv0 \{/, "pv0 {\n\t\t\todd_pv_key = 3");
  await bench.runAll(
    { command: "vgcfgrestore", text: odd },
    { command: "lvrename", volume: "root", newName: "boot" },
    { command: "lvextend", volume: "boot", extents: "+2" },
    { command: "vgrename", newName: "vg5" },
    { command: "vgreduce", devices: ["d2"] },
  );
  const { text: after } = await bench.run({ command: "vgcfgbackup" });
  for (const line of ['future_key = ["x", 7]', 'odd_volume_key = "kept"', "odd_pv_key = 3"])
    expect(after).toContain(line);
  expect(after).toMatch(/boot \{\s+odd_volume_key/);
});
