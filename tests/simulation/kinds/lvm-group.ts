import { readBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { SimulationKind } from "@cev/test-kit";
import { TAG_ERRAND, errandChores, runErrand } from "./lvm-errands.ts";
import type { Errand } from "./lvm-errands.ts";
import {
  DATA_OFFSET,
  EXTENT,
  SECTOR,
  formatGroup,
  header,
  linear,
  openGroup,
  segment,
  volume,
} from "./lvm-image.ts";
import type { Volumes } from "./lvm-image.ts";
import { WatchedLayer, lookInto } from "./watched-layer.ts";

const REGION = 8192;
const PV_COUNT = 3;
// What is not in sync is copied in the background, in less than that.
const TRIES_MAX = 30;
const WAIT_MS = 2000;

type VolumeType = "linear" | "striped" | "mirror";

// What lies before the pieces is free.
const errands: readonly Errand[] = [
  {
    name: "extend",
    isPossible: ({ type }) => type !== "mirror",
    request: { command: "lvextend", group: "vg", volume: "root", extents: "+3" },
    refusal: { code: "CEV_NO_SPACE", text: "" },
  },
  TAG_ERRAND,
];

/** Volumes of a group, opened from its metadata: in pieces, in stripes, and mirrors with a log on disk. */
export const groupKind: SimulationKind = {
  name: "lvm-group",
  package: "@cev/lvm",
  planVersion: 3,
  traits: () => ({}),
  plan(random, size) {
    const type: VolumeType = random.pick(["linear", "striped", "mirror", "mirror"]);
    const parts = type === "mirror" ? 1 : PV_COUNT;
    const perDevice = Math.ceil(size / parts / EXTENT);
    const sizeOf = (index: number): number =>
      DATA_OFFSET + EXTENT * (type === "mirror" && index === 2 ? 1 : perDevice + 1);
    return {
      kind: "lvm-group",
      options: { type, perDevice },
      lowers: Array.from({ length: PV_COUNT }, (_, index) => sizeOf(index)),
    };
  },
  async format(site) {
    const { type, perDevice } = site.options as { readonly type: VolumeType; readonly perDevice: number };
    await formatGroup(site, volumesOf(type, perDevice));
  },
  async open(site) {
    await runErrand(site, errands);
    const [opened] = await openGroup(site, { volumes: ["root"] });
    const { environment, options, whole } = site;
    const { layer } = opened!;
    if (options["type"] !== "mirror") return layer;
    const [first, second] = whole().map((lower) => lower.layer);
    const length = EXTENT * (options["perDevice"] as number);
    return new WatchedLayer(layer, {
      look: () => compareImages(environment, [first!, second!], length),
      keepsAll: true,
    });
  },
  chores: errandChores(errands),
  verify: lookInto,
};

/** The images of a mirror become equal by and by, and stay so. */
async function compareImages(
  environment: Environment,
  images: readonly [Layer, Layer],
  length: number,
): Promise<readonly string[]> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const [a, b] = [
      await readBytes(images[0], environment, DATA_OFFSET + EXTENT, length),
      await readBytes(images[1], environment, DATA_OFFSET + EXTENT, length),
    ];
    if (a.every((byte, at) => byte === b[at])) return [];
    await new Promise<void>((resolve) => void environment.clock.after(WAIT_MS, resolve));
  }
  return ["the images of a mirror differ"];
}

function volumesOf(type: VolumeType, perDevice: number): Volumes {
  if (type === "striped")
    return {
      root: volume(3, PV_COUNT * perDevice, [
        `type = "striped"\nstripe_count = ${PV_COUNT}\nstripe_size = ${EXTENT / SECTOR}`,
        `stripes = ["pv2", 1, "pv0", 1, "pv1", 1]`,
      ]),
    };
  if (type === "linear") {
    const pieces = ["pv1", "pv0", "pv2"].map((pv, index) =>
      segment(index, index * perDevice, perDevice, linear(pv, 1)),
    );
    return { root: `${header(3, true)}\nsegment_count = ${PV_COUNT}\n${pieces.join("\n")}` };
  }
  return {
    root: volume(3, perDevice, [
      `type = "mirror"\nmirror_count = 2\nmirror_log = "root_mlog"\nregion_size = ${REGION / SECTOR}`,
      `mirrors = ["root_mimage_0", 0, "root_mimage_1", 0]`,
    ]),
    root_mlog: volume(4, 1, [linear("pv2", 0)], false),
    root_mimage_0: volume(5, perDevice, [linear("pv0", 1)], false),
    root_mimage_1: volume(6, perDevice, [linear("pv1", 1)], false),
  };
}
