/** Mirrors, with their logs in memory and on a device. */
import { FULL_SUPPORT, READ_ONLY_SUPPORT, writeBytes } from "@cev/core";
import { pairsOf } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { NOT_RESIZED } from "./not-resized.ts";
import { BITS_OFFSET, encodeMirrorLog } from "../../src/volumes/mirror/log-format.ts";
import { MirrorLayer } from "../../src/volumes/mirror/mirror-layer.ts";

const KIB = 1024;
const SIZE = 128 * KIB;
const MIRROR_SIZE = 96 * KIB;
const REGION_SIZE = 16 * KIB;

interface Row {
  readonly imageCount: 2 | 3;
  readonly log: "in memory" | "on a device";
  readonly blockSize: 512 | 4096;
  readonly state: "whole" | "without its second image" | "read-only";
}

const rows = pairsOf<Row>({
  imageCount: [2, 3],
  log: ["on a device", "in memory"],
  blockSize: [512, 4096],
  state: ["whole", "without its second image", "read-only"],
});

function subjectOf({ imageCount, log, blockSize, state }: Row): Subject {
  const hasLog = log === "on a device";
  const isReadOnly = state === "read-only";
  return {
    name: `a mirror of ${imageCount}, its log ${log}, blocks of ${blockSize}${state === "whole" ? "" : `, ${state}`}`,
    manifest: {
      support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT,
      canHideErrors: true,
      ...(hasLog || isReadOnly
        ? { skip: NOT_RESIZED }
        : {
            skip: {
              ...NOT_RESIZED,
              refusals: "copying in the background reaches the lowers, too",
              transparency: "copying in the background takes as long as the layers below do",
              errors: "they are swept with a log on a device, where nothing is copied beside the work",
            },
          }),
    },
    async create(bench) {
      const images = Array.from({ length: imageCount }, (_, index) =>
        state === "without its second image" && index === 1 ? null : bench.lower({ size: SIZE, blockSize }),
      );
      const logDisk = hasLog ? bench.lower({ size: 8 * KIB, blockSize }) : null;
      if (bench.isFirst && logDisk !== null) {
        // Images that are alike, and a log that says so: nothing is to be copied.
        for (const image of images)
          if (image !== null) await writeBytes(image, bench.environment, 0, new Uint8Array(MIRROR_SIZE));
        const bytes = new Uint8Array(4096);
        bytes.set(encodeMirrorLog({ regionCount: MIRROR_SIZE / REGION_SIZE }));
        bytes.fill(255, BITS_OFFSET);
        await writeBytes(logDisk, bench.environment, 0, bytes, true);
      }
      return new MirrorLayer({
        name: "vg0/root",
        environment: bench.environment,
        size: MIRROR_SIZE,
        regionSize: REGION_SIZE,
        images,
        log: logDisk,
        isLogMissing: false,
        isReadOnly,
        report: () => undefined,
      });
    },
  };
}

export const mirrorSubjects: readonly Subject[] = rows.map(subjectOf);
