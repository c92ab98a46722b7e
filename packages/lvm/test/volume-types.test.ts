import { CevError, openTree } from "@cev/core";
import type { Layer, OpenContext, OpenWithRequest, OpenedDevice, Problem } from "@cev/core";
import { NoOpLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { lvmDriver } from "../src/index.ts";
import type { LvmOptions } from "../src/index.ts";
import { A, B, C, pv } from "./support/base-group.ts";
import { EXTENT_SIZE, groupText, linear, segment, uuidOf, volume } from "./support/group-image.ts";
import type { GroupRecipe } from "./support/group-image.ts";
import type { ImageLayer } from "./support/image-layer.ts";
import { environment, readAll } from "./support/open.ts";

const HIDDEN = '["READ", "WRITE"]';

/** What an engine was asked for, and how the lowers stood while it looked at them. */
interface Asked {
  readonly driver: string;
  readonly options: unknown;
  readonly lowers: readonly string[];
  readonly canWrite: readonly boolean[];
}

interface Opened {
  readonly devices: readonly OpenedDevice[];
  readonly problems: readonly Problem[];
  readonly asked: readonly Asked[];
  readonly disks: readonly ImageLayer[];
}

interface Settings extends Partial<LvmOptions> {
  /** Indexes of physical volumes that are left out. */
  readonly without?: readonly number[];
  readonly isReadOnly?: boolean;
  readonly group?: string;
  readonly engine?: (driver: string, request: OpenWithRequest) => readonly Layer[];
}

/** As many devices as an engine would make, each the first of its lowers. */
function standIn(_driver: string, { options, lowers }: OpenWithRequest): readonly Layer[] {
  const { snapshots, volumes } = options as { snapshots?: unknown[]; volumes?: unknown[] };
  const count = snapshots === undefined ? (volumes?.length ?? 1) : 1 + snapshots.length;
  return Array.from({ length: count }, () => new NoOpLayer(lowers[0]!.layer));
}

/** Opens a group on three physical volumes whose engines are stand-ins. */
async function open(volumes: GroupRecipe["volumes"], settings: Settings = {}): Promise<Opened> {
  const { without = [], isReadOnly = false, engine = standIn } = settings;
  const text = groupText({ pvs: [A, B, C], volumes });
  const disks = [A, B, C].map((uuid, index) => pv(`d${index}`, uuid, text));
  const problems: Problem[] = [];
  const asked: Asked[] = [];
  const context: OpenContext<LvmOptions> = {
    environment,
    options: { group: null, volumes: settings.volumes ?? null },
    lowers: disks
      .filter((_, index) => !without.includes(index))
      .map((layer) => ({ name: layer.name, layer })),
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => problems.push(problem),
    openWith: async (driver, request) => {
      for (const { layer } of request.lowers) await readFirst(layer);
      asked.push({
        driver,
        options: request.options,
        lowers: request.lowers.map(({ name }) => name),
        canWrite: request.lowers.map(({ layer }) => layer.support.write !== "none"),
      });
      return engine(driver, request).map((layer) => ({
        name: null,
        layer,
        state: "fine",
        details: { by: driver },
      }));
    },
  };
  const devices = await lvmDriver.open(context);
  return { devices, problems, asked, disks };
}

async function readFirst(layer: Layer): Promise<void> {
  // As engines do: without a claim of its own, and only what is open can answer.
  const { readBytes } = await import("@cev/core");
  await readBytes(layer, environment, 0, 512);
}

const names = ({ devices }: Opened): (string | null)[] => devices.map(({ name }) => name);

/** What a device holds, of extents on the three physical volumes. */
function extents(disks: readonly ImageLayer[], ...places: readonly (readonly [number, number])[]): Buffer {
  return Buffer.concat(
    places.map(([disk, extent]) => {
      const start = 65_536 + extent * EXTENT_SIZE;
      return disks[disk]!.bytes.subarray(start, start + EXTENT_SIZE);
    }),
  );
}

const raid1 = {
  root: volume(uuidOf("r"), [
    segment(
      'type = "raid1"\ndevice_count = 2\nregion_size = 4\nraids = ["root_rmeta_0", "root_rimage_0", "root_rmeta_1", "root_rimage_1"]',
      2,
    ),
  ]),
  root_rmeta_0: linear(uuidOf("0"), [[1, "pv0", 0]], HIDDEN),
  root_rimage_0: linear(
    uuidOf("1"),
    [
      [1, "pv0", 9],
      [1, "pv0", 3],
    ],
    HIDDEN,
  ),
  root_rmeta_1: linear(uuidOf("2"), [[1, "pv1", 0]], HIDDEN),
  root_rimage_1: linear(uuidOf("3"), [[2, "pv1", 1]], HIDDEN),
};

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
    [
      "is to be rebuilt",
      { root_rmeta_1: linear(uuidOf("2"), [[1, "pv1", 0]], '["READ", "WRITE", "REBUILD"]') },
    ],
    ["was split off", { root_rimage_1: linear(uuidOf("3"), [[2, "pv1", 1]], '["READ", "VISIBLE"]') }],
  ])("does without a member that %s", async (_, change) => {
    const opened = await open({ ...raid1, ...change }, { volumes: ["root"] });
    expect(opened.asked).toMatchObject([{ options: { dmRaid: { members: [0, null] } } }]);
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

const snapshots = {
  root: linear(uuidOf("r"), [[4, "pv0", 0]]),
  snapshot0: volume(uuidOf("s"), [
    segment('type = "snapshot"\nchunk_size = 8\norigin = "root"\ncow_store = "before"', 4),
  ]),
  before: linear(uuidOf("b"), [[2, "pv1", 0]], HIDDEN),
  snapshot1: volume(uuidOf("t"), [
    segment('type = "snapshot"\nchunk_size = 16\norigin = "root"\ncow_store = "later"', 4),
  ]),
  later: linear(uuidOf("l"), [[3, "pv2", 0]], HIDDEN),
};

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

  test("a pool has no contents of its own, and says so where it is named", async () => {
    await expect(open(thin, { volumes: ["pool"] })).rejects.toMatchObject({ code: "CEV_NOT_SUPPORTED" });
    const opened = await open(thin, { volumes: ["pool_tdata"] });
    expect(names(opened)).toEqual(["vg0/pool_tdata"]);
  });
});

function moved(extentsMoved: number): GroupRecipe["volumes"] {
  return {
    root: linear(uuidOf("r"), [[2, "pvmove0", 0]], '["READ", "WRITE", "VISIBLE", "LOCKED"]'),
    pvmove0: volume(
      uuidOf("m"),
      [
        segment(
          `type = "mirror"\nmirror_count = 2\nextents_moved = ${extentsMoved}\nmirrors = ["pv0", 3, "pv1", 8]`,
          2,
        ),
      ],
      '["READ", "WRITE", "PVMOVE", "LOCKED"]',
    ),
  };
}

describe("extents that are being moved", () => {
  test.each([
    ["not yet copied are those they are moved from", 0, [0, 3], [0, 4]],
    ["half copied are those they are moved from", 1, [0, 3], [0, 4]],
    ["all copied are those they are moved to", 2, [1, 8], [1, 9]],
  ] as const)("%s", async (_, extentsMoved, first, second) => {
    const { devices, disks, problems } = await open(moved(extentsMoved));
    expect(problems).toEqual([]);
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(extents(disks, first, second));
  });

  test("need only the side that counts", async () => {
    expect(names(await open(moved(1), { without: [1] }))).toEqual(["vg0/root"]);
    expect(names(await open(moved(1), { without: [0] }))).toEqual([]);
    expect(names(await open(moved(2), { without: [0] }))).toEqual(["vg0/root"]);
  });
});

const mirror = {
  root: volume(uuidOf("r"), [
    segment(
      'type = "mirror"\nmirror_count = 2\nmirror_log = "root_mlog"\nregion_size = 4\nmirrors = ["root_mimage_0", 0, "root_mimage_1", 0]',
      2,
    ),
  ]),
  root_mlog: linear(uuidOf("0"), [[1, "pv2", 0]], HIDDEN),
  root_mimage_0: linear(uuidOf("1"), [[2, "pv0", 4]], HIDDEN),
  root_mimage_1: linear(uuidOf("2"), [[2, "pv1", 6]], HIDDEN),
};

describe("a mirror", () => {
  test("is read from its first image, and says what its log says", async () => {
    const { devices, disks, asked } = await open(mirror);
    expect(asked).toEqual([]);
    expect(devices).toMatchObject([
      {
        state: "active, not in sync",
        details: { engine: { details: { regionSize: 2048, regionCount: 4, cleanCount: 0 } } },
      },
    ]);
    expect(disks.map(({ writeCount }) => writeCount)).toEqual([0, 0, 0]);
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(extents(disks, [0, 4], [0, 5]));
  });

  test.each([
    ["an image", 1],
    ["its log", 2],
  ])("without %s is opened read-only", async (_, index) => {
    const { devices, disks } = await open(mirror, { without: [index] });
    expect(devices).toMatchObject([{ name: "vg0/root", state: "active, read-only, degraded" }]);
    expect(Buffer.from(await readAll(devices[0]!.layer))).toEqual(extents(disks, [0, 4], [0, 5]));
  });

  test("without any image is refused", async () => {
    const { devices, problems } = await open(mirror, { without: [0, 1] });
    expect(devices).toEqual([]);
    expect(problems.at(-1)).toMatchObject({ code: "CEV_DEGRADED", device: "vg0/root" });
  });
});

describe("targets without extents", () => {
  test("of zeroes read as zeroes, and those of errors fail while the rest of the volume does not", async () => {
    const hole = `segment2 {\nstart_extent = 1\nextent_count = 1\ntype = "error"\n}`;
    const { devices, disks } = await open({
      zeroes: volume(uuidOf("z"), [segment('type = "zero"', 2)]),
      holed: volume(uuidOf("h"), [
        segment('type = "striped"\nstripe_count = 1\nstripes = ["pv0", 7]', 1),
        hole,
      ]),
    });
    expect((await readAll(devices[0]!.layer)).every((byte) => byte === 0)).toBe(true);
    expect(devices[0]!.state).toBe("active, read-only");
    const { readBytes } = await import("@cev/core");
    const { layer } = devices[1]!;
    await openTree(layer);
    expect(Buffer.from(await readBytes(layer, environment, 0, EXTENT_SIZE))).toEqual(extents(disks, [0, 7]));
    await expect(readBytes(layer, environment, 0, 2 * EXTENT_SIZE)).rejects.toMatchObject({
      code: "CEV_MEDIUM",
    });
  });
});

describe("what hostile metadata may say", () => {
  test("volumes nested ever deeper are refused", async () => {
    const nested = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [
        `v${index}`,
        linear(
          uuidOf(String.fromCharCode(97 + index)),
          [[1, index === 19 ? "pv0" : `v${index + 1}`, 0]],
          index === 0 ? undefined : HIDDEN,
        ),
      ]),
    );
    const { devices, problems } = await open(nested);
    expect(devices).toEqual([]);
    expect(problems.map(({ device, code }) => [device, code])).toEqual([["vg0/v0", "CEV_BAD_METADATA"]]);
    // From where they are less deep they can be opened.
    expect(names(await open(nested, { volumes: ["v10"] }))).toEqual(["vg0/v10"]);
  });
});
