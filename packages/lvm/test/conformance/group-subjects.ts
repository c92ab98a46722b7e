/** Volumes opened from the metadata of a group. Those that need engines of other packages are in tests/stacks. */
import { FULL_SUPPORT, READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import { pairsOf, reopenWith } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { NOT_RESIZED } from "./not-resized.ts";
import { lvmDriver } from "../../src/index.ts";
import { groupText, linear, makePv, uuidOf, volume } from "../support/group-image.ts";

const PV_UUIDS = ["a", "b", "c"].map(uuidOf);

/** The wanted volume, by its type. */
const VOLUMES = {
  linear: linear(uuidOf("r"), [[16, "pv0", 4]]),
  "linear on three, out of order": linear(uuidOf("r"), [
    [6, "pv2", 8],
    [8, "pv0", 20],
    [4, "pv1", 0],
  ]),
  "striped over two": volume(uuidOf("r"), [striped(16, 2, 8)]),
  "striped over three in stripes of 16 KiB": volume(uuidOf("r"), [striped(24, 3, 32)]),
} as const;

interface Row {
  readonly type: keyof typeof VOLUMES;
  readonly blockSize: 512 | 4096;
  readonly how: "as usual" | "read-only";
}

const rows = pairsOf<Row>({
  type: Object.keys(VOLUMES) as (keyof typeof VOLUMES)[],
  blockSize: [512, 4096],
  how: ["as usual", "read-only"],
});

/** A segment of stripes that many sectors long. */
function striped(extentCount: number, stripeCount: number, stripeSectors: number): string {
  const stripes = Array.from({ length: stripeCount }, (_, index) => `"pv${index}", ${3 * index + 2}`);
  return `segment1 {
start_extent = 0
extent_count = ${extentCount}
type = "striped"
stripe_count = ${stripeCount}
stripe_size = ${stripeSectors}
stripes = [${stripes.join(", ")}]
}`;
}

function subjectOf({ type, blockSize, how }: Row): Subject {
  const isReadOnly = how === "read-only";
  const text = groupText({ pvs: PV_UUIDS, volumes: { root: VOLUMES[type] } });
  return {
    name: `a volume of a group, ${type}, blocks of ${blockSize}${isReadOnly ? ", read-only" : ""}`,
    manifest: {
      support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT,
      reopen: reopenWith(lvmDriver, { isReadOnly }),
      skip: NOT_RESIZED,
    },
    async create(bench) {
      const images = PV_UUIDS.map((uuid, index) => makePv({ name: `pv${index}`, uuid, texts: [{ text }] }));
      const layers = images.map(({ bytes }) => bench.lower({ size: bytes.length, blockSize }));
      if (bench.isFirst)
        for (const [index, { bytes }] of images.entries())
          await writeBytes(layers[index]!, bench.environment, 0, bytes, true);
      const [device] = await lvmDriver.open({
        environment: bench.environment,
        options: { group: null, volumes: ["root"] },
        lowers: layers.map((layer, index) => ({ name: `pv${index}`, layer })),
        keySource: { keys: [] },
        isReadOnly,
        canWriteDegraded: false,
        directory: ".",
        report: () => undefined,
      });
      return device!.layer;
    },
  };
}

export const groupSubjects: readonly Subject[] = rows.map(subjectOf);
