import { describe, expect, test } from "vitest";
import type { CommandRequest } from "../../src/index.ts";
import { benchInUse } from "../support/command-bench.ts";

const CASES: readonly (readonly [string, CommandRequest, string, RegExp])[] = [
  [
    "a group name twice",
    { command: "vgcreate", group: "vg", devices: ["d2"] },
    "CEV_INVALID",
    /already exists/,
  ],
  [
    "a device in use",
    { command: "vgcreate", group: "vg1", devices: ["d0"] },
    "CEV_BUSY",
    /physical volume of the volume group vg/,
  ],
  [
    "a device that is not there",
    { command: "vgcreate", group: "vg1", devices: ["d9"] },
    "CEV_NOT_FOUND",
    /no device "d9"/,
  ],
  [
    "a device named twice",
    { command: "vgcreate", group: "vg1", devices: ["d2", "d2"] },
    "CEV_INVALID",
    /named twice/,
  ],
  [
    "extents of an odd size",
    { command: "vgcreate", group: "vg1", devices: ["d2"], extentSize: "3k" },
    "CEV_INVALID",
    /no extent size/,
  ],
  [
    "extents larger than a device",
    { command: "vgcreate", group: "vg1", devices: ["d2"], extentSize: "4m" },
    "CEV_INVALID",
    /no room for an extent/,
  ],
  [
    "a second metadata area where the data would be",
    {
      command: "vgcreate",
      group: "vg1",
      devices: ["d2"],
      metadataCopies: 2,
      metadataSize: "64k",
      extentSize: "64k",
    },
    "CEV_INVALID",
    /no room for an extent/,
  ],
  [
    "a group without any metadata area",
    { command: "vgcreate", group: "vg1", devices: ["d2"], metadataCopies: 0, extentSize: "64k" },
    "CEV_DEGRADED",
    /no metadata area/,
  ],
  [
    "a group name that is none",
    { command: "vgcreate", group: "-vg", devices: ["d2"] },
    "CEV_INVALID",
    /no valid name/,
  ],
  ["pvcreate of a member", { command: "pvcreate", devices: ["d0"] }, "CEV_BUSY", /volume group vg/],
  ["pvremove of a member", { command: "pvremove", devices: ["d0"] }, "CEV_BUSY", /volume group vg/],
  ["pvremove of nothing", { command: "pvremove", devices: ["d2"] }, "CEV_NOT_FOUND", /no physical volume/],
  ["vgextend by a member", { command: "vgextend", devices: ["d1"] }, "CEV_BUSY", /volume group vg/],
  ["vgreduce of a device in use", { command: "vgreduce", devices: ["d0"] }, "CEV_BUSY", /still in use/],
  [
    "vgreduce of a stranger",
    { command: "vgreduce", devices: ["d2"] },
    "CEV_NOT_FOUND",
    /no physical volume of the volume group/,
  ],
  ["vgreduce of nothing missing", { command: "vgreduce", removeMissing: true }, "CEV_INVALID", /is missing/],
  ["vgremove with volumes", { command: "vgremove" }, "CEV_BUSY", /contains 5 logical volumes/],
  ["vgrename to the same", { command: "vgrename", newName: "vg" }, "CEV_INVALID", /already/],
  ["vgimport of what is not exported", { command: "vgimport" }, "CEV_INVALID", /not exported/],
  [
    "vgextend --restoremissing of what is there",
    { command: "vgextend", devices: ["d1"], restoreMissing: true },
    "CEV_INVALID",
    /was not missing/,
  ],
  [
    "an unknown group",
    { command: "lvcreate", group: "vgx", extents: 1 },
    "CEV_NOT_FOUND",
    /no volume group "vgx"/,
  ],
  [
    "a limit below what there is",
    { command: "vgchange", logicalVolumesMax: 2 },
    "CEV_INVALID",
    /4 logical volumes, more than 2/,
  ],
  ["a tag with a space", { command: "vgchange", addTags: ["a b"] }, "CEV_INVALID", /no valid tag/],
  [
    "a change of nothing",
    { command: "vgchange", alloc: "normal" },
    "CEV_INVALID",
    /nothing .* would be changed/,
  ],
  ["a volume name twice", { command: "lvcreate", name: "root", extents: 1 }, "CEV_INVALID", /already exists/],
  [
    "a reserved start of a name",
    { command: "lvcreate", name: "snapshotty", extents: 1 },
    "CEV_INVALID",
    /starting with "snapshot" are reserved/,
  ],
  [
    "a reserved part of a name",
    { command: "lvcreate", name: "a_rimage_0", extents: 1 },
    "CEV_INVALID",
    /including "_rimage" are reserved/,
  ],
  ["no size", { command: "lvcreate", name: "x" }, "CEV_INVALID", /either a size or a number of extents/],
  [
    "two sizes",
    { command: "lvcreate", name: "x", size: 65_536, extents: 1 },
    "CEV_INVALID",
    /either a size or/,
  ],
  ["a size of nothing", { command: "lvcreate", name: "x", extents: 0 }, "CEV_INVALID", /0 extents/],
  ["a size that is none", { command: "lvcreate", name: "x", size: "ten" }, "CEV_INVALID", /is no size/],
  [
    "a share of more than all",
    { command: "lvcreate", name: "x", extents: "101%FREE" },
    "CEV_INVALID",
    /more than there is/,
  ],
  [
    "a share of an origin",
    { command: "lvcreate", name: "x", extents: "50%ORIGIN" },
    "CEV_INVALID",
    /no ORIGIN/,
  ],
  [
    "more than there is",
    { command: "lvcreate", name: "x", extents: 1000 },
    "CEV_NO_SPACE",
    /1000 extents needed, but only \d+ available/,
  ],
  [
    "more in one piece than there is",
    { command: "lvcreate", name: "x", extents: 40, alloc: "contiguous" },
    "CEV_NO_SPACE",
    /contiguous/,
  ],
  [
    "more stripes than devices",
    { command: "lvcreate", name: "x", extents: 3, stripes: 3 },
    "CEV_INVALID",
    /number of stripes \(3\) must not exceed/,
  ],
  [
    "too many stripes",
    { command: "lvcreate", name: "x", extents: 3, stripes: 200 },
    "CEV_INVALID",
    /no number of stripes/,
  ],
  [
    "an odd stripe size",
    { command: "lvcreate", name: "x", extents: 2, stripes: 2, stripeSize: "5k" },
    "CEV_INVALID",
    /no stripe size/,
  ],
  [
    "a place that is none",
    { command: "lvcreate", name: "x", extents: 1, places: ["d2"] },
    "CEV_NOT_FOUND",
    /no physical volume of vg/,
  ],
  [
    "a range that is none",
    { command: "lvcreate", name: "x", extents: 1, places: ["d0:9-3"] },
    "CEV_INVALID",
    /ends before it begins/,
  ],
  [
    "a range without room",
    { command: "lvcreate", name: "x", extents: 3, places: ["d0:0-5"] },
    "CEV_NO_SPACE",
    /3 extents needed/,
  ],
  [
    "a snapshot of a snapshot",
    { command: "lvcreate", name: "x", snapshotOf: "snap", extents: 2 },
    "CEV_INVALID",
    /snapshots of snapshots/,
  ],
  [
    "a snapshot of nothing",
    { command: "lvcreate", name: "x", snapshotOf: "gone", extents: 2 },
    "CEV_NOT_FOUND",
    /no logical volume "gone"/,
  ],
  [
    "a smaller store of a snapshot, by force, too",
    { command: "lvreduce", volume: "snap", extents: "-1", force: true },
    "CEV_INVALID",
    /the store of the snapshot snap cannot be reduced/,
  ],
  [
    "a snapshot with odd chunks",
    { command: "lvcreate", name: "x", snapshotOf: "root", extents: 2, chunkSize: "6k" },
    "CEV_INVALID",
    /no chunk size/,
  ],
  [
    "a snapshot of too few chunks",
    { command: "lvcreate", name: "x", snapshotOf: "root", extents: 1, chunkSize: "64k" },
    "CEV_INVALID",
    /3 chunks/,
  ],
  [
    "the made up volume of a snapshot",
    { command: "lvremove", volumes: ["snapshot0"] },
    "CEV_NOT_FOUND",
    /snapshot0/,
  ],
  [
    "an origin without force",
    { command: "lvremove", volumes: ["root"] },
    "CEV_BUSY",
    /origin of the snapshot snap/,
  ],
  [
    "a reduced origin",
    { command: "lvreduce", volume: "root", extents: "-1", force: true },
    "CEV_INVALID",
    /origin volumes cannot be reduced/,
  ],
  [
    "a reduction without force",
    { command: "lvreduce", volume: "wide", extents: "-2" },
    "CEV_INVALID",
    /loses what lies behind/,
  ],
  [
    "a reduction to nothing",
    { command: "lvreduce", volume: "wide", extents: "-4", force: true },
    "CEV_INVALID",
    /below 1 extent/,
  ],
  [
    "lvreduce that extends",
    { command: "lvreduce", volume: "wide", extents: 10, force: true },
    "CEV_INVALID",
    /not less than/,
  ],
  [
    "lvextend that reduces",
    { command: "lvextend", volume: "wide", extents: 2 },
    "CEV_INVALID",
    /not larger than/,
  ],
  [
    "lvextend to the same",
    { command: "lvextend", volume: "wide", extents: 4 },
    "CEV_INVALID",
    /matches the existing size/,
  ],
  [
    "lvrename onto another",
    { command: "lvrename", volume: "wide", newName: "root" },
    "CEV_INVALID",
    /already exists/,
  ],
  [
    "lvchange of nothing",
    { command: "lvchange", volume: "wide", permission: "rw" },
    "CEV_INVALID",
    /nothing .* would be changed/,
  ],
  [
    "a merge of what is no snapshot",
    { command: "lvconvert", merge: true, snapshot: "wide" },
    "CEV_INVALID",
    /no snapshot/,
  ],
  [
    "a merge without what knows the store",
    { command: "lvconvert", merge: true, snapshot: "snap" },
    "CEV_NOT_SUPPORTED",
    /package that knows its store/,
  ],
  [
    "pvresize below what is used",
    { command: "pvresize", devices: ["d0"], setSize: "1152k" },
    "CEV_NO_SPACE",
    /later ones are allocated/,
  ],
  [
    "pvresize beyond the device",
    { command: "pvresize", devices: ["d0"], setSize: "5m" },
    "CEV_INVALID",
    /fewer than/,
  ],
  [
    "a backup that is none",
    { command: "vgcfgrestore", text: "vg {" },
    "CEV_BAD_METADATA",
    /line 1, column 4/,
  ],
  ["a clone that is not whole", { command: "vgimportclone", devices: ["d0"] }, "CEV_DEGRADED", /not whole/],
];

describe("is refused, and nothing is written:", () => {
  test("all of it", async () => {
    const bench = await benchInUse();
    bench.journal.length = 0;
    for (const [title, request, code, message] of CASES)
      await expect(bench.run(request), title).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message) as unknown,
      });
    expect(bench.journal.filter(({ bytes }) => bytes !== null)).toEqual([]);
  });

  test("every change of an exported group, until it is imported", async () => {
    const bench = await benchInUse();
    await bench.run({ command: "vgexport" });
    await expect(bench.run({ command: "lvcreate", extents: 1 })).rejects.toMatchObject({
      code: "CEV_READ_ONLY",
    });
    const exported = await bench.group();
    expect(exported.status).toEqual(["EXPORTED", "RESIZEABLE", "READ", "WRITE"]);
    expect(exported.physicalVolumes.map(({ status }) => status)).toEqual([
      ["ALLOCATABLE", "EXPORTED"],
      ["ALLOCATABLE", "EXPORTED"],
    ]);
    await bench.run({ command: "vgimport" });
    await bench.run({ command: "lvcreate", extents: 1 });
    expect(await bench.sizes()).toMatchObject({ lvol0: 1 });
  });

  test("changes of a group that is another host's, or shared, or of an unknown kind", async () => {
    const bench = await benchInUse();
    const edit = async (from: string, to: string): Promise<void> => {
      const { text } = await bench.run({ command: "vgcfgbackup" });
      await bench.run({ command: "vgcfgrestore", text: text!.replace(from, to), force: true });
    };
    await edit("format =", 'system_id = "elsewhere"\nformat =');
    const request: CommandRequest = { command: "lvcreate", extents: 1 };
    await expect(bench.run(request)).rejects.toMatchObject({ code: "CEV_BUSY" });
    await bench.run(request, { systemId: "elsewhere" });
    await expect(bench.run({ command: "vgremove", force: true })).rejects.toMatchObject({ code: "CEV_BUSY" });
  });
});
