import { CevError } from "@cev/core";
import type { Layer, OpenWithRequest } from "@cev/core";
import { NoOpLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { raid1, snapshots } from "./support/engine-groups.ts";
import { EXTENT_SIZE, linear, segment, uuidOf, volume } from "./support/group-image.ts";
import { HIDDEN, names, openWithEngines as open } from "./support/open-with-engines.ts";

describe("an origin", () => {
  test("is opened as one with all its snapshots, whichever of them are wanted", async () => {
    for (const volumes of [null, ["root"], ["later"]]) {
      const opened = await open(snapshots, { volumes });
      expect(opened.asked).toEqual([
        {
          driver: "@cev/snapshot",
          options: {
            snapshots: [
              { name: "before", chunkSize: 4096, size: 4 * EXTENT_SIZE },
              { name: "later", chunkSize: 8192, size: 4 * EXTENT_SIZE },
            ],
          },
          lowers: ["vg0/root", "vg0/before", "vg0/later"],
          canWrite: [true, true, true],
        },
      ]);
      expect(names(opened)).toEqual(
        volumes?.map((name) => `vg0/${name}`) ?? ["vg0/root", "vg0/before", "vg0/later"],
      );
      expect(opened.problems).toEqual([]);
    }
  });

  test("without one of the stores is only read, and so are the other snapshots", async () => {
    const opened = await open(snapshots, { without: [1] });
    expect(opened.asked).toMatchObject([{ lowers: ["vg0/root", "vg0/later"], canWrite: [false, false] }]);
    expect(opened.devices.map(({ name, layer }) => [name, layer.support.write])).toEqual([
      ["vg0/root", "none"],
      ["vg0/later", "none"],
    ]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      [undefined, "CEV_DEGRADED"],
      ["vg0/root", "CEV_READ_ONLY"],
      ["vg0/before", "CEV_DEGRADED"],
      ["vg0/later", "CEV_READ_ONLY"],
    ]);
  });

  test("one of whose snapshots has senseless settings is only read, and the others with it", async () => {
    const snapshot0 = snapshots.snapshot0.replace("chunk_size = 8", "chunk_size = 7");
    const opened = await open({ ...snapshots, snapshot0 });
    expect(opened.devices.map(({ name, layer }) => [name, layer.support.write])).toEqual([
      ["vg0/root", "none"],
      ["vg0/later", "none"],
    ]);
    expect(opened.problems.find(({ severity }) => severity === "error")).toMatchObject({
      code: "CEV_BAD_METADATA",
      device: "vg0/before",
      message: "vg0/before cannot be opened: it has chunks of 3584 bytes, which is no power of two",
    });
  });

  test("and its snapshots may be read-only each: LVM2 keeps what is said of a snapshot with its store", async () => {
    const opened = await open({
      ...snapshots,
      root: linear(uuidOf("r"), [[4, "pv0", 0]], '["READ", "VISIBLE"]'),
      before: linear(uuidOf("b"), [[2, "pv1", 0]], '["READ"]'),
    });
    expect(opened.devices.map(({ name, layer }) => [name, layer.support.write])).toEqual([
      ["vg0/root", "none"],
      ["vg0/before", "none"],
      ["vg0/later", "native"],
    ]);
    // Their store is written all the same, and what lies below them is shared with those that are written.
    expect(opened.asked).toMatchObject([{ canWrite: [true, true, true] }]);
  });

  test("that is being merged into hides the snapshot, and is asked for as merging", async () => {
    const opened = await open({
      root: snapshots.root,
      snapshot0: snapshots.snapshot0.replace("cow_store", "merging_store"),
      before: snapshots.before,
    });
    expect(names(opened)).toEqual(["vg0/root"]);
    expect(opened.asked).toMatchObject([{ options: { snapshots: [{ isMerging: true }] } }]);
    await expect(
      open(
        {
          root: snapshots.root,
          snapshot0: snapshots.snapshot0.replace("cow_store", "merging_store"),
          before: snapshots.before,
        },
        { volumes: ["before"] },
      ),
    ).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
  });

  test("and a store are read by themselves by the names that LVM2 gives them", async () => {
    const opened = await open(snapshots, { volumes: ["root-real", "before-cow"] });
    expect(opened.asked).toEqual([]);
    expect(names(opened)).toEqual(["vg0/root-real", "vg0/before-cow"]);
    expect(opened.devices.map(({ layer }) => [layer.support.write, layer.limits.size])).toEqual([
      ["none", 4 * EXTENT_SIZE],
      ["none", 2 * EXTENT_SIZE],
    ]);
  });

  test("that is a RAID volume is looked at read-only, and written only once it is opened itself", async () => {
    const before = linear(uuidOf("b"), [[2, "pv2", 0]], HIDDEN);
    const { snapshot0 } = snapshots;
    const opened = await open({ ...raid1, snapshot0, before }, { volumes: ["root"] });
    // The array is asked for twice: to be looked at, and to be written later.
    expect(opened.asked.map(({ driver, canWrite }) => [driver, canWrite])).toEqual([
      ["@cev/raid", [true, true]],
      ["@cev/raid", [false, false]],
      ["@cev/snapshot", [true, true]],
    ]);
    expect(opened.disks.flatMap(({ claims }) => claims.count)).toEqual([0, 0, 0]);
  });
});

const thin = {
  pool: volume(uuidOf("p"), [
    segment(
      'type = "thin-pool"\nmetadata = "pool_tmeta"\npool = "pool_tdata"\ntransaction_id = 2\nchunk_size = 128',
      4,
    ),
  ]),
  pool_tmeta: linear(uuidOf("m"), [[1, "pv0", 0]], HIDDEN),
  pool_tdata: linear(uuidOf("d"), [[4, "pv1", 0]], HIDDEN),
  one: volume(uuidOf("1"), [
    segment('type = "thin"\nthin_pool = "pool"\ntransaction_id = 0\ndevice_id = 1', 10),
  ]),
  two: volume(uuidOf("2"), [
    segment(
      'type = "thin"\nthin_pool = "pool"\ntransaction_id = 1\ndevice_id = 7\nexternal_origin = "base"',
      3,
    ),
  ]),
  base: linear(uuidOf("b"), [[3, "pv2", 0]]),
};

const thinEngine = (_driver: string, { options, lowers }: OpenWithRequest): readonly Layer[] =>
  (options as { volumes: { size: number }[] }).volumes.map(
    ({ size }) => new GrownLayer(lowers[0]!.layer, size),
  );

/** A device of another size than what it stands on. */
class GrownLayer extends NoOpLayer {
  override readonly limits: Layer["limits"];

  constructor(lower: Layer, size: number) {
    super(lower);
    this.limits = { ...lower.limits, size };
  }
}

describe("thin volumes", () => {
  test("of one pool are asked for together, over lowers that cannot be written", async () => {
    const opened = await open(thin, { engine: thinEngine });
    expect(opened.asked).toEqual([
      {
        driver: "@cev/thin",
        options: {
          chunkSize: 65_536,
          volumes: [
            { name: "one", deviceId: 1, size: 10 * EXTENT_SIZE },
            { name: "two", deviceId: 7, size: 3 * EXTENT_SIZE, externalOrigin: 2 },
          ],
        },
        lowers: ["vg0/pool_tmeta", "vg0/pool_tdata", "vg0/base"],
        canWrite: [false, false, false],
      },
    ]);
    expect(opened.devices.map(({ name, state }) => [name, state])).toEqual([
      ["vg0/one", "active, read-only, fine"],
      ["vg0/two", "active, read-only, fine"],
      ["vg0/base", "active, read-only"],
    ]);
    expect(opened.problems.map(({ device, code }) => [device, code])).toEqual([
      ["vg0/one", "CEV_READ_ONLY"],
      ["vg0/two", "CEV_READ_ONLY"],
      ["vg0/base", "CEV_READ_ONLY"],
    ]);
  });

  test("are asked for one by one where they cannot be had together", async () => {
    const opened = await open(thin, {
      engine: (driver, request) => {
        const { volumes } = request.options as { volumes: { name: string }[] };
        if (volumes.some(({ name }) => name === "one"))
          throw new CevError("CEV_BAD_METADATA", "one is damaged");
        return thinEngine(driver, request);
      },
    });
    expect(names(opened)).toEqual(["vg0/two", "vg0/base"]);
    expect(opened.problems.filter(({ severity }) => severity === "error")).toMatchObject([
      { code: "CEV_BAD_METADATA", device: "vg0/one" },
    ]);
  });

  test("of a pool that lacks a physical volume are refused, and nothing else is", async () => {
    const opened = await open(thin, { engine: thinEngine, without: [0] });
    expect(names(opened)).toEqual(["vg0/base"]);
    expect(opened.problems.map(({ device, code }) => [device, code]).slice(1, 3)).toEqual([
      ["vg0/one", "CEV_DEGRADED"],
      ["vg0/two", "CEV_DEGRADED"],
    ]);
  });

  test("keep what they show through them from being written, also where that has snapshots", async () => {
    const opened = await open(
      {
        ...thin,
        snapshot0: snapshots.snapshot0.replace('"root"', '"base"'),
        before: linear(uuidOf("v"), [[2, "pv1", 20]], HIDDEN),
      },
      {
        engine: (driver, request) =>
          driver === "@cev/thin"
            ? thinEngine(driver, request)
            : [0, 1].map(() => new GrownLayer(request.lowers[0]!.layer, 4 * EXTENT_SIZE)),
        volumes: ["base", "before"],
      },
    );
    expect(opened.devices.map(({ layer }) => layer.support.write)).toEqual(["none", "native"]);
  });

  test("of a pool with senseless chunks are refused by name", async () => {
    const pool = thin.pool.replace("chunk_size = 128", "chunk_size = 64");
    const opened = await open({ ...thin, pool }, { engine: thinEngine });
    expect(opened.asked).toEqual([]);
    expect(opened.problems.filter(({ severity }) => severity === "error")).toMatchObject([
      { code: "CEV_BAD_METADATA", device: "vg0/one" },
      { code: "CEV_BAD_METADATA", device: "vg0/two" },
    ]);
  });

  test("a pool has no contents of its own, and says so where it is named", async () => {
    await expect(open(thin, { volumes: ["pool"] })).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
    const opened = await open(thin, { volumes: ["pool_tdata"] });
    expect(names(opened)).toEqual(["vg0/pool_tdata"]);
  });
});
