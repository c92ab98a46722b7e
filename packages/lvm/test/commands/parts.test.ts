import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { changeVolume, renameVolume } from "../../src/commands/change-volume.ts";
import type { ChangeInputs } from "../../src/commands/change.ts";
import { createVolume } from "../../src/commands/create-volume.ts";
import { removeMissing } from "../../src/commands/reduce-group.ts";
import { removeVolumes } from "../../src/commands/remove-volume.ts";
import { resizeVolume } from "../../src/commands/resize-volume.ts";
import { VolumeTree, partsOf } from "../../src/commands/volume-tree.ts";
import type { VolumeGroup } from "../../src/index.ts";
import { encodeGroupText } from "../../src/model/encode-group.ts";
import { decodeGroup, identifyGroup } from "../../src/model/group.ts";
import { newUuidSource } from "../support/command-bench.ts";

const text = readFileSync(new URL("../texts/every-type.disk.txt", import.meta.url), "latin1");
/** With a snapshot that is being merged. */
const group = decodeGroup(identifyGroup(text.replace('cow_store = "tomerge"', 'merging_store = "tomerge"')));
const inputs: ChangeInputs = { names: new Map(), newUuid: newUuidSource(1), now: 1, hostname: "host" };

/** As whoever reads its text will see it. */
function reread(changed: VolumeGroup): VolumeGroup {
  const origin = { description: "", creationHost: "host", creationTime: 1 };
  return decodeGroup(identifyGroup(encodeGroupText(changed, origin)));
}

function namesOf({ logicalVolumes }: VolumeGroup): readonly string[] {
  return logicalVolumes.map(({ name }) => name);
}

/** Names that are gone, sorted. */
function lostNames(after: VolumeGroup): readonly string[] {
  const left = new Set(namesOf(after));
  return namesOf(group)
    .filter((name) => !left.has(name))
    .toSorted();
}

function remove(volume: string, force = false): VolumeGroup {
  return reread(removeVolumes(group, { command: "lvremove", volumes: [volume], force }).group);
}

describe("hidden parts of a volume", () => {
  test.each([
    ["r1", ["r1", "r1_rimage_0", "r1_rimage_1", "r1_rmeta_0", "r1_rmeta_1"]],
    ["r0", ["r0", "r0_rimage_0", "r0_rimage_1"]],
    ["mir", ["mir", "mir_mimage_0", "mir_mimage_1", "mir_mlog"]],
    ["snap", ["snap", "snapshot0"]],
    ["err", ["err"]],
  ])("go with it: %s", (name, gone) => {
    expect(lostNames(remove(name))).toEqual(gone);
  });

  test("of a thin pool go by force with its volumes; the spare stays as long as another pool is there", () => {
    expect(() => remove("pool")).toThrow(/stands on pool/);
    expect(lostNames(remove("pool", true))).toEqual([
      "pool",
      "pool_tdata",
      "pool_tmeta",
      "thin",
      "thin2",
      "tsnap",
    ]);
  });

  test("are renamed with it, wherever they are named", () => {
    for (const { name } of group.logicalVolumes.filter(({ isVisible }) => isVisible)) {
      const tree = new VolumeTree(group);
      const volume = tree.get(name)!;
      if (volume.segments.some(({ mapping }) => mapping.kind === "unknown" || mapping.kind === "snapshot"))
        continue;
      const after = reread(renameVolume(group, { command: "lvrename", volume: name, newName: "Zeta" }).group);
      const parts = [...tree.withParts(volume)].map((part) => part.name);
      expect(namesOf(after)).toEqual(
        namesOf(group).map((one) => (parts.includes(one) ? one.replace(name, "Zeta") : one)),
      );
      const named = new Set(namesOf(after));
      for (const { segments } of after.logicalVolumes)
        for (const { mapping } of segments)
          for (const part of partsOf(mapping)) expect(named).toContain(part);
    }
  });

  test("have no names of their own for users", () => {
    const hidden = ["r1_rimage_0", "pool_tdata", "mir_mlog", "lvol0_pmspare", "wcc_cvol", "cached_corig"];
    for (const volume of hidden) {
      expect(() => remove(volume, true), volume).toThrow(/is a part of|keeps for itself/);
      expect(() => renameVolume(group, { command: "lvrename", volume, newName: "x" }), volume).toThrow();
    }
  });
});

describe("what only LVM2 can do is refused, with what to do:", () => {
  test.each([
    ["cached", /type "cache"/],
    ["wc", /type "writecache"/],
    ["rint", /type "integrity"/],
  ])("removing %s", (name, message) => {
    expect(() => remove(name, true)).toThrow(message);
  });

  test("removing a thin volume, or a snapshot that is being merged", () => {
    expect(() => remove("thin2", true)).toThrow(/metadata must be changed/);
    expect(() => remove("tomerge")).toThrow(/being merged into merged/);
    expect(lostNames(remove("merged", true))).toEqual(["merged", "snapshot2", "tomerge"]);
  });

  test.each(["r1", "r5", "r6", "r10", "r4", "r0", "r0m", "mir", "pool", "thin"])("resizing %s", (volume) => {
    for (const extents of ["+3", "-1"])
      expect(() =>
        resizeVolume(group, { command: "lvresize", volume, extents, force: true }, inputs),
      ).toThrow(expect.objectContaining({ code: "CEV_NOT_SUPPORTED" }));
  });

  test("losing what has redundancy because a part of it is missing", () => {
    const missing = group.physicalVolumes.slice(0, 1);
    expect(() => removeMissing(group, missing, true)).toThrow(/redundancy/);
    expect(() => removeMissing(group, missing, false)).toThrow(/volumes lie on what is missing: .*r1/);
  });

  test("snapshots of thin volumes and of origins that are being merged into", () => {
    for (const snapshotOf of ["thin", "pool", "merged", "snap"])
      expect(() => createVolume(group, { command: "lvcreate", snapshotOf, extents: 2 }, inputs)).toThrow();
    const { group: after } = createVolume(
      group,
      { command: "lvcreate", name: "rsnap", snapshotOf: "r5", extents: 2 },
      inputs,
    );
    expect(namesOf(reread(after)).slice(-2)).toEqual(["rsnap", "snapshot3"]);
  });
});

test("new extents never lie where any type of volume lies", () => {
  const { group: after } = createVolume(
    group,
    { command: "lvcreate", name: "all", extents: "100%FREE" },
    inputs,
  );
  // The decoder refuses an extent that two volumes use.
  const made = reread(after).logicalVolumes.find(({ name }) => name === "all")!;
  expect(made.extentCount).toBeGreaterThan(100);
  expect(() => createVolume(reread(after), { command: "lvcreate", extents: 1 }, inputs)).toThrow(
    /0 available/,
  );
});

test("permissions and tags change nothing else", () => {
  const after = reread(
    changeVolume(group, { command: "lvchange", volume: "r5", permission: "r", addTags: ["cold"] }).group,
  );
  const strip = ({ logicalVolumes }: VolumeGroup): unknown =>
    logicalVolumes.map(({ name, status, tags, isWritable }) =>
      name === "r5" ? { name, status, tags, isWritable } : name,
    );
  expect(strip(after)).toEqual(
    namesOf(group).map((name) =>
      name === "r5" ? { name, status: ["READ", "VISIBLE"], tags: ["cold"], isWritable: false } : name,
    ),
  );
});
