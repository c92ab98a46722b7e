import { readBytes, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { encodeLabel, encodeMdaHeader, lvmCrc, lvmDriver } from "@cev/lvm";
import type { SimulationKind } from "@cev/test-kit";
import { WatchedLayer, lookInto } from "./watched-layer.ts";

const SECTOR = 512;
const EXTENT = 4096;
const AREA_OFFSET = 4096;
const AREA_SIZE = 8192;
const TEXT_OFFSET = 512;
const DATA_OFFSET = 16_384;
const REGION = 8192;
const PV_COUNT = 3;
// What is not in sync is copied in the background, in less than that.
const TRIES_MAX = 30;
const WAIT_MS = 2000;

type VolumeType = "linear" | "striped" | "mirror";

/** Volumes of a group, opened from its metadata: in pieces, in stripes, and mirrors with a log on disk. */
export const groupKind: SimulationKind = {
  name: "lvm-group",
  package: "@cev/lvm",
  planVersion: 1,
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
  async format({ environment, options, whole }) {
    const { type, perDevice } = options as { readonly type: VolumeType; readonly perDevice: number };
    const sizes = whole().map(({ layer }) => layer.limits.size);
    const text = new TextEncoder().encode(`${groupText(sizes, volumesOf(type, perDevice))}\0`);
    for (const [index, { layer }] of whole().entries()) {
      const bytes = new Uint8Array(DATA_OFFSET);
      bytes.set(
        encodeLabel({
          sector: 1,
          uuid: uuidOf(index).replaceAll("-", ""),
          deviceSize: layer.limits.size,
          dataAreas: [{ offset: DATA_OFFSET, size: 0 }],
          metadataAreas: [{ offset: AREA_OFFSET, size: AREA_SIZE }],
          extension: { version: 2, flags: 1, bootloaderAreas: [] },
        }),
        SECTOR,
      );
      const committed = { offset: TEXT_OFFSET, size: text.length, checksum: lvmCrc(text), flags: 0 };
      bytes.set(
        encodeMdaHeader({ start: AREA_OFFSET, size: AREA_SIZE, committed, precommitted: null }),
        AREA_OFFSET,
      );
      bytes.set(text, AREA_OFFSET + TEXT_OFFSET);
      await writeBytes(layer, environment, 0, bytes, true);
      // No log that somebody else left there.
      await writeBytes(layer, environment, DATA_OFFSET, new Uint8Array(EXTENT), true);
    }
  },
  async open({ environment, options, whole }) {
    const [opened] = await lvmDriver.open({
      environment,
      options: { group: null, volumes: ["root"] },
      lowers: whole(),
      keySource: { keys: [] },
      isReadOnly: false,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    });
    const { layer } = opened!;
    if (options["type"] !== "mirror") return layer;
    const [first, second] = whole().map((lower) => lower.layer);
    const length = EXTENT * (options["perDevice"] as number);
    return new WatchedLayer(layer, {
      look: () => compareImages(environment, [first!, second!], length),
      keepsAll: true,
    });
  },
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

function volumesOf(type: VolumeType, perDevice: number): Readonly<Record<string, string>> {
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

function header(uuid: number, isVisible: boolean): string {
  const visible = isVisible ? `, "VISIBLE"` : "";
  return `id = "${uuidOf(uuid)}"\nstatus = ["READ", "WRITE"${visible}]\nflags = []`;
}

function volume(uuid: number, extentCount: number, lines: readonly string[], isVisible = true): string {
  return `${header(uuid, isVisible)}\nsegment_count = 1\n${segment(0, 0, extentCount, lines.join("\n"))}`;
}

function segment(index: number, start: number, extentCount: number, lines: string): string {
  return `segment${index + 1} {\nstart_extent = ${start}\nextent_count = ${extentCount}\n${lines}\n}`;
}

function linear(pv: string, extent: number): string {
  return `type = "striped"\nstripe_count = 1\nstripes = ["${pv}", ${extent}]`;
}

function uuidOf(index: number): string {
  return [6, 4, 4, 4, 4, 4, 6].map((length) => String(index).repeat(length)).join("-");
}

function groupText(sizes: readonly number[], volumes: Readonly<Record<string, string>>): string {
  const physical = sizes.map(
    (size, index) => `pv${index} {
id = "${uuidOf(index)}"
status = ["ALLOCATABLE"]
flags = []
dev_size = ${size / SECTOR}
pe_start = ${DATA_OFFSET / SECTOR}
pe_count = ${Math.floor((size - DATA_OFFSET) / EXTENT)}
}`,
  );
  const logical = Object.entries(volumes).map(([name, body]) => `${name} {\n${body}\n}`);
  return `vg {
id = "${uuidOf(9)}"
seqno = 1
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = ${EXTENT / SECTOR}
max_lv = 0
physical_volumes {
${physical.join("\n")}
}
logical_volumes {
${logical.join("\n")}
}
}
contents = "Text Format Volume Group"
version = 1
`;
}
