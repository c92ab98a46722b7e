import { isCevError } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { physicalAreasOf } from "../../src/allocate/free-space.ts";
import type { CommandRequest, VolumeGroup } from "../../src/index.ts";
import { CommandBench, benchOf } from "../support/command-bench.ts";
import { cutsOf } from "../support/journal-layer.ts";
import type { Images } from "../support/journal-layer.ts";

/** Every state with `CEV_ALL_CASES=1`, otherwise one in eight. */
const STEP = process.env["CEV_ALL_CASES"] === undefined ? 8 : 1;

const FLEETING: readonly string[] = ["section", "tree", "seqno", "description"];

/** What a group is, apart from who wrote it down and how often. */
function shapeOf(group: VolumeGroup | null): string {
  return JSON.stringify(group, (key, value: unknown) => (FLEETING.includes(key) ? undefined : value));
}

async function groupOf(images: Images): Promise<VolumeGroup | null> {
  try {
    // Only looked at.
    return await new CommandBench(images).group();
  } catch (error) {
    if (isCevError(error) && error.code === "CEV_NOT_FOUND") return null;
    throw error;
  }
}

/** The bytes of a volume's extents, in the order of its segments. */
function contentsOf(
  images: Images,
  group: VolumeGroup,
  name: string,
  deviceOf: ReadonlyMap<string, string>,
): Buffer {
  const volume = group.logicalVolumes.find((one) => one.name === name)!;
  return Buffer.concat(
    physicalAreasOf(volume).map(({ physicalVolume, startExtent, extentCount }) => {
      const start = physicalVolume.dataOffset + startExtent * group.extentSize;
      return images
        .get(deviceOf.get(physicalVolume.uuid)!)!
        .slice(start, start + extentCount * group.extentSize);
    }),
  );
}

async function devicesByUuid(images: Images): Promise<ReadonlyMap<string, string>> {
  const { rows } = await benchOf(images).run({ command: "pvs" });
  return new Map(rows.map(({ uuid, device }) => [String(uuid), String(device)]));
}

interface CrashCase {
  readonly prepare: readonly CommandRequest[];
  readonly request: CommandRequest;
  /** Volumes of which not one byte may change; all there are by default. */
  readonly others?: readonly string[];
}

const CASES: Readonly<Record<string, CrashCase>> = {
  "vgcreate on blank devices": {
    prepare: [],
    request: { command: "vgcreate", group: "vg", devices: ["d0", "d1", "d2"], extentSize: "64k" },
  },
  "vgcreate with two metadata areas on one device": {
    prepare: [],
    request: {
      command: "vgcreate",
      group: "vg",
      devices: ["d2"],
      extentSize: "64k",
      metadataCopies: 2,
      metadataSize: "64k",
    },
  },
  vgextend: { prepare: twoOfThree(), request: { command: "vgextend", devices: ["d2"] } },
  vgreduce: { prepare: inUse(), request: { command: "vgreduce", devices: ["d2"] } },
  vgrename: { prepare: inUse(), request: { command: "vgrename", newName: "vg1" } },
  "vgchange of the UUID": { prepare: inUse(), request: { command: "vgchange", newUuid: true } },
  "vgchange of tags": { prepare: inUse(), request: { command: "vgchange", addTags: ["blue"] } },
  vgexport: { prepare: inUse(), request: { command: "vgexport" } },
  vgremove: { prepare: inUse(), request: { command: "vgremove", force: true }, others: [] },
  "lvcreate of a linear volume": {
    prepare: inUse(),
    request: { command: "lvcreate", name: "new", size: "192k" },
  },
  "lvcreate of a striped volume": {
    prepare: inUse(),
    request: { command: "lvcreate", name: "new", extents: 4, stripes: 2, stripeSize: "4k" },
  },
  "lvcreate of a snapshot": {
    prepare: inUse(),
    request: { command: "lvcreate", name: "new", snapshotOf: "root", extents: 2 },
  },
  lvextend: { prepare: inUse(), request: { command: "lvextend", volume: "root", extents: "+3" } },
  lvreduce: {
    prepare: inUse(),
    request: { command: "lvreduce", volume: "root", extents: "-1", force: true },
    others: ["home"],
  },
  lvrename: {
    prepare: inUse(),
    request: { command: "lvrename", volume: "home", newName: "house" },
    others: ["root"],
  },
  lvremove: { prepare: inUse(), request: { command: "lvremove", volumes: ["home"] }, others: ["root"] },
  lvchange: { prepare: inUse(), request: { command: "lvchange", volume: "home", permission: "r" } },
  pvresize: { prepare: inUse(), request: { command: "pvresize", devices: ["d2"], setSize: "2m" } },
  pvchange: { prepare: inUse(), request: { command: "pvchange", devices: ["d1"], isAllocatable: false } },
  "vgck --updatemetadata": { prepare: inUse(), request: { command: "vgck", updateMetadata: true } },
};

function twoOfThree(): readonly CommandRequest[] {
  return [
    { command: "vgcreate", group: "vg", devices: ["d0", "d1"], extentSize: "64k" },
    { command: "lvcreate", name: "root", extents: 3 },
    { command: "lvcreate", name: "home", extents: 4, stripes: 2, stripeSize: "8k" },
  ];
}

function inUse(): readonly CommandRequest[] {
  return [...twoOfThree(), { command: "vgextend", devices: ["d2"] }];
}

describe("a power cut at any write, with anything of what was not flushed, leaves the group as it was or as it is to be:", () => {
  test.each(Object.entries(CASES))("%s", async (title, { prepare, request, others }) => {
    const bench = CommandBench.blank([2, 2, 3], title.length);
    await bench.runAll(...prepare);
    const before = bench.images();
    const groupBefore = await groupOf(before);
    const devices = groupBefore === null ? new Map<string, string>() : await devicesByUuid(before);
    bench.journal.length = 0;
    await bench.run(request);
    const journal = [...bench.journal];
    const groupAfter = await groupOf(bench.images());
    const [old, next] = [shapeOf(groupBefore), shapeOf(groupAfter)];
    const volumes = others ?? groupBefore?.logicalVolumes.map(({ name }) => name) ?? [];
    const seen = new Set<string>();
    let index = 0;
    for (const { at, images } of cutsOf(before, journal, new Random(title.length))) {
      const isEnd = at === 0 || at === journal.length;
      if (!isEnd && index++ % STEP > 0) continue;
      const found = await groupOf(images);
      const shape = shapeOf(found);
      expect([old, next], `after ${at} of ${journal.length} entries`).toContain(shape);
      seen.add(shape);
      for (const name of volumes) {
        const was = contentsOf(before, groupBefore!, name, devices);
        const is = contentsOf(images, groupBefore!, name, devices);
        expect(Buffer.compare(was, is), `${name} after ${at} entries`).toBe(0);
      }
      const made = found?.logicalVolumes.find(({ name }) => name === "new");
      if (made !== undefined) {
        const start = contentsOf(images, found!, "new", devices).subarray(0, 4096);
        // Zeroes, or the header of a store without exceptions.
        const isStore = request.command === "lvcreate" && request.snapshotOf !== undefined;
        expect(start.subarray(isStore ? 16 : 0).every((byte) => byte === 0)).toBe(true);
      }
    }
    expect(seen).toEqual(new Set([old, next]));
  });
});

test.each<CommandRequest>([
  { command: "vgchange", newUuid: true },
  { command: "vgremove", force: true },
])(
  "a power cut never sets the group back to what an area that is out of date says: $command",
  async (request) => {
    const bench = CommandBench.blank([2, 2, 3]);
    await bench.runAll(...inUse());
    const outdated = bench.images().get("d0")!;
    await bench.run({ command: "lvcreate", name: "new", extents: 5 });
    const before = new Map(bench.images()).set("d0", outdated);
    const after = benchOf(before);
    await after.run(request);
    const seen = new Set<string>();
    for (const { images } of cutsOf(before, [...after.journal], new Random(5)))
      seen.add((await groupOf(images))?.logicalVolumes.map(({ name }) => name).join() ?? "none");
    expect(seen).toEqual(new Set(["root,home,new", ...(request.command === "vgremove" ? ["none"] : [])]));
  },
);

test("after a power cut the next command goes on from the group that is found", async () => {
  const bench = CommandBench.blank([2, 2, 3]);
  await bench.runAll(...inUse());
  const before = bench.images();
  bench.journal.length = 0;
  await bench.run({ command: "lvcreate", name: "new", extents: 5 });
  let cutCount = 0;
  for (const { images } of cutsOf(before, [...bench.journal], new Random(5))) {
    if (cutCount++ % STEP > 0) continue;
    const after = benchOf(images);
    const hadNew = "new" in (await after.sizes());
    await after.run({ command: "lvcreate", name: "next", extents: 2 });
    await after.run({ command: "vgck", updateMetadata: true });
    expect(await after.sizes()).toEqual({ root: 3, home: 4, ...(hadNew ? { new: 5 } : {}), next: 2 });
    expect((await after.run({ command: "vgck" })).rows).toEqual([]);
  }
  expect(cutCount).toBeGreaterThan(20);
});
