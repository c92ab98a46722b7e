import { CevError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { raid1, snapshots } from "./support/engine-groups.ts";
import { EXTENT_SIZE, linear, segment, uuidOf, volume } from "./support/group-image.ts";
import { HIDDEN, extents, names, openWithEngines as open, standIn } from "./support/open-with-engines.ts";
import { readAll } from "./support/open.ts";

describe("a RAID volume", () => {
  test("is asked of the RAID engine, each member its superblock with its data behind it", async () => {
    const opened = await open(raid1);
    expect(opened.asked).toEqual([
      {
        driver: "@cev/raid",
        options: {
          dmRaid: {
            name: "vg0/root",
            type: "raid1",
            memberCount: 2,
            members: [0, 1],
            regionSize: 2048,
            metadataSize: EXTENT_SIZE,
            memberSize: 2 * EXTENT_SIZE,
            size: 2 * EXTENT_SIZE,
          },
        },
        lowers: ["vg0/root_rimage_0", "vg0/root_rimage_1"],
        canWrite: [true, true],
      },
    ]);
    expect(opened.devices).toMatchObject([
      {
        name: "vg0/root",
        state: "active, fine",
        details: { engine: { state: "fine", details: { by: "@cev/raid" } } },
      },
    ]);
    expect(Buffer.from(await readAll(opened.devices[0]!.layer))).toEqual(
      extents(opened.disks, [0, 0], [0, 9]),
    );
  });

  test("is opened with the member missing that lies on a missing physical volume", async () => {
    const opened = await open(raid1, { without: [0] });
    expect(opened.asked).toMatchObject([
      { options: { dmRaid: { members: [null, 0] } }, lowers: ["vg0/root_rimage_1"] },
    ]);
    expect(names(opened)).toEqual(["vg0/root"]);
  });

  test.each([
    [
      "was replaced by errors",
      { root_rimage_1: volume(uuidOf("3"), [segment('type = "error"', 2)], HIDDEN) },
    ],
    ["was split off", { root_rimage_1: linear(uuidOf("3"), [[2, "pv1", 1]], '["READ", "VISIBLE"]') }],
  ])("does without a member that %s", async (_, change) => {
    const opened = await open({ ...raid1, ...change }, { volumes: ["root"] });
    expect(opened.asked).toMatchObject([{ options: { dmRaid: { members: [0, null] } } }]);
  });

  test("says which member LVM2 wants to be rebuilt", async () => {
    const root_rmeta_1 = linear(uuidOf("2"), [[1, "pv1", 0]], '["READ", "WRITE", "REBUILD"]');
    const opened = await open({ ...raid1, root_rmeta_1 });
    expect(opened.asked).toMatchObject([{ options: { dmRaid: { members: [0, 1], rebuild: [1] } } }]);
  });

  test("is forced where the group is, and its description says so", async () => {
    const opened = await open(raid1, { force: true });
    expect(opened.asked).toMatchObject([{ options: { dmRaid: {}, force: true } }]);
    expect(opened.devices[0]!.layer.describe().options).toMatchObject({ volumes: ["root"], force: true });
  });

  test("what its engine reports names the volume, and is said once", async () => {
    const snapshot0 = snapshots.snapshot0.replace("extent_count = 4", "extent_count = 2");
    const before = linear(uuidOf("b"), [[2, "pv2", 0]], HIDDEN);
    const opened = await open(
      { ...raid1, snapshot0, before },
      {
        engine: (driver, request) => {
          if (driver === "@cev/raid")
            request.report!({ severity: "warning", code: "CEV_DEGRADED", message: "one is missing" });
          return standIn(driver, request);
        },
      },
    );
    expect(opened.problems).toEqual([
      { severity: "warning", code: "CEV_DEGRADED", message: "one is missing", device: "vg0/root" },
    ]);
  });

  test("nothing is asked of an engine for volumes that nobody wants", async () => {
    const opened = await open(
      { ...raid1, plain: linear(uuidOf("p"), [[1, "pv2", 0]]) },
      { volumes: ["plain"] },
    );
    expect(opened.asked).toEqual([]);
  });

  test("whose engine refuses is refused by name, and the others open", async () => {
    const engine = (): never => {
      throw new CevError("CEV_NOT_FOUND", "there is no driver @cev/raid", { hint: "install it" });
    };
    const opened = await open({ ...raid1, plain: linear(uuidOf("p"), [[1, "pv2", 0]]) }, { engine });
    expect(names(opened)).toEqual(["vg0/plain"]);
    expect(opened.problems).toMatchObject([{ code: "CEV_NOT_FOUND", device: "vg0/root" }]);
    expect(opened.problems[0]!.message).toContain("no driver @cev/raid");
  });

  test("raid0 is striped over its images without an engine", async () => {
    const opened = await open({
      fast: volume(uuidOf("f"), [
        segment(
          'type = "raid0"\nstripe_count = 2\nstripe_size = 8\nraid0_lvs = ["fast_rimage_0", "fast_rimage_1"]',
          2,
        ),
      ]),
      fast_rimage_0: linear(uuidOf("0"), [[1, "pv0", 5]], HIDDEN),
      fast_rimage_1: linear(uuidOf("1"), [[1, "pv1", 6]], HIDDEN),
    });
    expect(opened.asked).toEqual([]);
    expect(Buffer.from(await readAll(opened.devices[0]!.layer))).toEqual(
      extents(opened.disks, [0, 5], [1, 6]),
    );
  });

  test("images are hidden, and read by themselves where they are named", async () => {
    const opened = await open(raid1, { volumes: ["root_rimage_0"] });
    expect(opened.devices).toMatchObject([{ name: "vg0/root_rimage_0", state: "active, read-only" }]);
    expect(opened.devices[0]!.layer.support.write).toBe("none");
    expect(Buffer.from(await readAll(opened.devices[0]!.layer))).toEqual(
      extents(opened.disks, [0, 9], [0, 3]),
    );
  });
});
