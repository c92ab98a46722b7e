import { writeBytes } from "@cev/core";
import type { Layer, Problem } from "@cev/core";
import type { SimulationKind, SimulationSite } from "@cev/test-kit";
import { TAG_ERRAND, errandChores, runErrand } from "./lvm-errands.ts";
import type { Errand } from "./lvm-errands.ts";
import { DATA_OFFSET, EXTENT, SECTOR, formatGroup, linear, openGroup, volume } from "./lvm-image.ts";
import type { Volumes } from "./lvm-image.ts";
import { compareOthers, patternOf } from "./snapshot.ts";
import { sideBySide } from "./side-by-side.ts";
import { WatchedLayer, lookInto } from "./watched-layer.ts";

// The origin grows into them.
const SPARE_EXTENTS = 4;
const FIRST = "snap0";

interface Shape {
  /** Bytes. */
  readonly chunkSize: number;
  /** Of snapshots. */
  readonly count: number;
  /** Of the origin and of each store. */
  readonly extents: number;
  readonly storeExtents: number;
  /** What is written. */
  readonly shown: "origin" | "first snapshot" | "all";
}

const errands: readonly Errand[] = [
  {
    name: "merge the snapshot",
    isPossible: ({ shown }) => shown === "first snapshot",
    request: { command: "lvconvert", merge: true, group: "vg", snapshot: FIRST },
    refusal: { code: "CEV_NOT_FOUND", text: FIRST },
  },
  {
    name: "take the snapshot anew",
    isPossible: ({ shown }) => shown === "first snapshot",
    // As much as it can ever need, where the old one was.
    request: {
      command: "lvcreate",
      group: "vg",
      name: FIRST,
      snapshotOf: "root",
      extents: "100%FREE",
      places: ["n1"],
    },
    refusal: { code: "CEV_INVALID", text: "already exists" },
  },
  {
    name: "extend the origin",
    isPossible: ({ shown }) => shown !== "first snapshot",
    request: { command: "lvextend", group: "vg", volume: "root", extents: "+1", places: ["n0"] },
    refusal: { code: "CEV_NO_SPACE", text: "" },
  },
  TAG_ERRAND,
];

/**
 * A volume with snapshots: what is shown is the origin, which grows; or a snapshot, which is merged into its origin, then is that, and is taken anew; or all
 * of them, one behind the other. Those that are not shown keep what they hold.
 */
export const snapshotVolumeKind: SimulationKind = {
  name: "lvm-snapshot",
  package: "@cev/lvm",
  planVersion: 3,
  traits: () => ({}),
  plan(random, size) {
    const chunkSize = random.pick([4096, 8192]);
    const shown: Shape["shown"] = random.pick(["origin", "first snapshot", "first snapshot", "all"]);
    const count = random.between(1, 2);
    const extents = 2 * Math.ceil(size / (shown === "all" ? count + 1 : 1) / 8192);
    const shape: Shape = {
      chunkSize,
      count,
      extents,
      // Each chunk, also those that are added, its exception, the header, and areas that are blank ahead.
      storeExtents: 2 * (extents + SPARE_EXTENTS) + (32 * chunkSize) / EXTENT,
      shown,
    };
    const lengthOf = (count: number): number => DATA_OFFSET + EXTENT * count;
    const stores = Array.from({ length: shape.count }, () => lengthOf(shape.storeExtents));
    return {
      kind: "lvm-snapshot",
      options: { ...shape },
      lowers: [lengthOf(extents + SPARE_EXTENTS), ...stores],
    };
  },
  *simpler({ kind, options, lowers }) {
    if (options["count"] === 2 && options["shown"] !== "all")
      yield { kind, options: { ...options, count: 1 }, lowers: lowers.slice(0, -1) };
    if (options["chunkSize"] !== 4096) yield { kind, options: { ...options, chunkSize: 4096 }, lowers };
  },
  async format(site) {
    const shape = site.options as unknown as Shape;
    await formatGroup(site, volumesOf(shape));
    const [origin, ...stores] = site.whole();
    const { environment } = site;
    await writeBytes(origin!.layer, environment, DATA_OFFSET, patternOf(shape.extents * EXTENT), true);
    for (const { layer } of stores)
      await writeBytes(
        layer,
        environment,
        DATA_OFFSET,
        new Uint8Array(Math.max(4096, 2 * shape.chunkSize)),
        true,
      );
  },
  async open(site) {
    return openShown(site, await runErrand(site, errands));
  },
  chores: errandChores(errands),
  verify: lookInto,
};

async function openShown(site: SimulationSite, begunCount: number): Promise<WatchedLayer> {
  const { shown, extents } = site.options as unknown as Shape;
  const problems: Problem[] = [];
  const opened = await openGroup(site, { volumes: null, report: (problem) => problems.push(problem) });
  const error = problems.find(({ severity }) => severity === "error");
  if (error !== undefined) throw new Error(error.message);
  const length = extents * EXTENT;
  const layers = opened.map(({ layer }) => layer);
  if (shown === "all")
    return new WatchedLayer(sideBySide(layers, length), { look: async () => [], keepsAll: false });
  const find = (name: string): Layer | undefined =>
    layers[opened.findIndex((device) => device.name === `vg/${name}`)];
  // Once it has been merged, or while it is, the origin holds what it did.
  const own = (shown === "origin" ? undefined : find(FIRST)) ?? find("root")!;
  // Into the origin something may have been merged.
  const isChanged = (layer: Layer): boolean => layer === find("root") && begunCount > 0 && shown !== "origin";
  const others = layers.filter((layer) => layer !== own && !isChanged(layer));
  return new WatchedLayer(own, {
    look: () => compareOthers(site.environment, others, length),
    keepsAll: false,
  });
}

function volumesOf({ count, extents, storeExtents, chunkSize }: Shape): Volumes {
  const volumes: Record<string, string> = { root: volume(4, extents, [linear("pv0", 0)]) };
  for (let index = 0; index < count; index++) {
    volumes[`snapshot${index}`] = volume(5 + 2 * index, extents, [
      `type = "snapshot"`,
      `chunk_size = ${chunkSize / SECTOR}\norigin = "root"\ncow_store = "snap${index}"`,
    ]);
    volumes[`snap${index}`] = volume(6 + 2 * index, storeExtents, [linear(`pv${1 + index}`, 0)], false);
  }
  return volumes;
}
