import { Random } from "@cev/test-kit";
import { readBytes, writeBytes } from "@cev/core";
import { describe, expect, test } from "vitest";
import type { MergeStore } from "../../src/index.ts";
import { CommandBench, benchOf } from "../support/command-bench.ts";
import { cutsOf } from "../support/journal-layer.ts";

const EXTENT = 65_536;
const MARK = new Uint8Array(512).fill(0x77);

/** Stands in for the package that knows stores: copies one block that the store holds, then says in the store that it is done. */
const mergeStore: MergeStore = async ({
  environment,
  origin,
  store,
  others,
  chunkSize,
  size,
  onProgress,
}) => {
  expect({ chunkSize, size }).toEqual({ chunkSize: 4096, size: 3 * EXTENT });
  expect(others.map(({ name }) => name)).toEqual(["second"]);
  onProgress({ mergedBytes: 0, totalBytes: 512 });
  const block = await readBytes(store.layer, environment, 8192, 512);
  await writeBytes(origin.layer, environment, 2 * EXTENT, block);
  onProgress({ mergedBytes: 512, totalBytes: 512 });
};

async function makeBench(): Promise<CommandBench> {
  const bench = CommandBench.blank([3, 3]);
  await bench.runAll(
    { command: "vgcreate", group: "vg", devices: ["d0", "d1"], extentSize: "64k" },
    { command: "lvcreate", name: "root", extents: 2, places: ["d0"] },
    { command: "lvextend", volume: "root", extents: "+1", places: ["d1"] },
    { command: "lvcreate", name: "snap", snapshotOf: "root", extents: 2 },
    { command: "lvcreate", name: "second", snapshotOf: "root", extents: 1 },
  );
  const group = await bench.group();
  const store = group.logicalVolumes.find(({ name }) => name === "snap")!;
  const [area] = store.segments[0]!.mapping.kind === "striped" ? store.segments[0]!.mapping.areas : [];
  if (area?.kind !== "physical") throw new Error("the store lies on a physical volume");
  const layer = bench.layers.find(({ name }) => name === (area.physicalVolume.name === "pv0" ? "d0" : "d1"))!;
  layer.bytes.set(MARK, area.physicalVolume.dataOffset + area.startExtent * EXTENT + 8192);
  return bench;
}

/** The block of the origin that the store stands in for: the first of its third extent, which is d1's first. */
function mergedBlock(bench: CommandBench): Uint8Array {
  return bench.layers[1]!.bytes.subarray(1024 * 1024, 1024 * 1024 + 512);
}

const REQUEST = { command: "lvconvert", merge: true, snapshot: "snap" } as const;

describe("lvconvert --merge", () => {
  test("says in the text that the snapshot is being merged, copies, and removes it; other snapshots stay", async () => {
    const bench = await makeBench();
    const progress: unknown[] = [];
    let seenText = "";
    const result = await bench.run(REQUEST, {
      progress: (one) => progress.push(one),
      mergeStore: async (request) => {
        const { text } = await benchOf(bench.images()).run({ command: "vgcfgbackup" });
        seenText = text!;
        await mergeStore(request);
      },
    });
    expect(seenText).toMatch(/merging_store = "snap"/);
    expect(seenText).not.toMatch(/cow_store = "snap"/);
    // LVM2 hides the volume that it made up for a snapshot that is being merged.
    expect(seenText).toMatch(/snapshot0 \{\s+id = "[^"]+"\s+status = \["READ", "WRITE"\]/);
    expect(progress.at(-1)).toEqual({ what: "merging vg/snap into vg/root", done: 512, total: 512 });
    expect(result).toMatchObject({ group: "vg", seqnoBefore: 5, seqnoAfter: 7 });
    expect(mergedBlock(bench)).toEqual(MARK);
    expect(await bench.sizes()).toEqual({ root: 3, second: 1 });
    expect((await bench.group()).logicalVolumes.map(({ name }) => name)).toEqual([
      "root",
      "second",
      "snapshot1",
    ]);
  });

  test("that fails leaves the group merging, and goes on when it is asked for again", async () => {
    const bench = await makeBench();
    const failing: MergeStore = () => Promise.reject(new Error("the disk failed"));
    await expect(bench.run(REQUEST, { mergeStore: failing })).rejects.toThrow(/the disk failed/);
    expect((await bench.run({ command: "vgck" })).rows).toMatchObject([
      { code: "CEV_BUSY", severity: "warning" },
    ]);
    for (const request of [
      { command: "lvremove", volumes: ["snap"] },
      { command: "lvextend", volume: "root", extents: "+1" },
      { command: "lvcreate", name: "third", snapshotOf: "root", extents: 1 },
      { command: "lvconvert", merge: true, snapshot: "second" },
    ] as const)
      await expect(bench.run(request, { mergeStore })).rejects.toMatchObject({
        message: expect.stringMatching(/being merged/) as unknown,
      });
    const result = await bench.run(REQUEST, { mergeStore });
    expect(result).toMatchObject({ seqnoBefore: 6, seqnoAfter: 7 });
    expect(mergedBlock(bench)).toEqual(MARK);
    expect(await bench.sizes()).toEqual({ root: 3, second: 1 });
  });

  test("cut short at any write can be asked for again, and ends as if nothing had been", async () => {
    const bench = await makeBench();
    const before = bench.images();
    bench.journal.length = 0;
    await bench.run(REQUEST, { mergeStore });
    const states = new Set<string>();
    for (const { images } of cutsOf(before, [...bench.journal], new Random(8))) {
      const after = benchOf(images);
      const { logicalVolumes } = await after.group();
      const link = logicalVolumes.find(({ name }) => name === "snapshot0");
      states.add(link === undefined ? "gone" : link.isVisible ? "there" : "merging");
      if (link !== undefined) await after.run(REQUEST, { mergeStore });
      expect(Buffer.compare(mergedBlock(after), MARK)).toBe(0);
      expect(await after.sizes()).toEqual({ root: 3, second: 1 });
    }
    expect(states).toEqual(new Set(["there", "merging", "gone"]));
  });

  test("of a snapshot that overflowed is refused before the group says anything of it", async () => {
    const bench = await makeBench();
    // The store begins behind the first two extents of the origin; its second word says whether it is valid.
    bench.layers[0]!.bytes.fill(0, 1024 * 1024 + 2 * EXTENT + 4, 1024 * 1024 + 2 * EXTENT + 8);
    bench.journal.length = 0;
    await expect(bench.run(REQUEST, { mergeStore })).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      message: expect.stringMatching(/vg\/snap overflowed/) as unknown,
    });
    expect(bench.journal.filter(({ bytes }) => bytes !== null)).toEqual([]);
  });
});
