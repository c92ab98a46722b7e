import { FULL_SUPPORT, READ_ONLY_SUPPORT, SegmentMap, writeBytes } from "@cev/core";
import type { Layer, MappedSegment } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { Subject } from "@cev/test-kit";
import { describe, test } from "vitest";
import { VolumeLayer } from "../src/index.ts";
import { BITS_OFFSET, encodeMirrorLog } from "../src/volumes/mirror/log-format.ts";
import { MirrorLayer } from "../src/volumes/mirror/mirror-layer.ts";
import { ZeroLayer } from "../src/volumes/target-layer.ts";

const KIB = 1024;
const SIZE = 512 * KIB;

interface Configuration {
  readonly name: string;
  readonly lowerCount: number;
  readonly blockSize?: number;
  readonly isReadOnly?: boolean;
  readonly segments: (lowers: readonly Layer[]) => readonly MappedSegment[];
}

/** A linear piece of a volume. */
function piece(start: number, length: number, lower: Layer, lowerStart: number): MappedSegment {
  return { start, length, areas: [{ lower, start: lowerStart }], stripeSize: 0 };
}

const configurations: readonly Configuration[] = [
  {
    name: "one segment",
    lowerCount: 1,
    segments: ([lower]) => [piece(0, 256 * KIB, lower!, 64 * KIB)],
  },
  {
    name: "three segments out of order on two physical volumes",
    lowerCount: 2,
    segments: ([first, second]) => [
      piece(0, 64 * KIB, first!, 128 * KIB),
      piece(64 * KIB, 128 * KIB, second!, 0),
      piece(192 * KIB, 64 * KIB, first!, 64 * KIB),
    ],
  },
  {
    name: "stripes over three, a linear end",
    lowerCount: 3,
    segments: (lowers) => [
      {
        start: 0,
        length: 192 * KIB,
        areas: lowers.map((lower) => ({ lower, start: 8 * KIB })),
        stripeSize: 4 * KIB,
      },
      piece(192 * KIB, 16 * KIB, lowers[1]!, 256 * KIB),
    ],
  },
  {
    name: "two segments over blocks of 4096",
    lowerCount: 2,
    blockSize: 4096,
    segments: ([first, second]) => [
      piece(0, 64 * KIB, second!, 0),
      piece(64 * KIB, 64 * KIB, first!, 64 * KIB),
    ],
  },
  {
    name: "read-only",
    lowerCount: 1,
    isReadOnly: true,
    segments: ([lower]) => [piece(0, 64 * KIB, lower!, 0)],
  },
];

function subjectOf({
  name,
  lowerCount,
  blockSize = 512,
  isReadOnly = false,
  segments,
}: Configuration): Subject {
  return {
    name: `lvm, ${name}`,
    manifest: { support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT },
    create(bench) {
      const lowers = Array.from({ length: lowerCount }, () => bench.lower({ size: SIZE, blockSize }));
      return new VolumeLayer({
        name: "vg0/root",
        segments: new SegmentMap(segments(lowers)),
        isReadOnly,
        claimant: { name: "the volume group vg0" },
        description: { options: { group: "vg0", volumes: ["root"] }, lowers },
      });
    },
  };
}

for (const configuration of configurations) testLayer(subjectOf(configuration), { describe, test });

const MIRROR_SIZE = 96 * KIB;
const REGION_SIZE = 16 * KIB;

interface MirrorConfiguration {
  readonly name: string;
  readonly imageCount: number;
  readonly hasLog: boolean;
  readonly blockSize?: number;
  readonly isMissing?: (index: number) => boolean;
}

const mirrors: readonly MirrorConfiguration[] = [
  { name: "two images, its log in memory", imageCount: 2, hasLog: false },
  {
    name: "three images of 4096-byte blocks, its log on a device",
    imageCount: 3,
    hasLog: true,
    blockSize: 4096,
  },
  { name: "the second image missing", imageCount: 2, hasLog: true, isMissing: (index) => index === 1 },
];

function mirrorSubject(configuration: MirrorConfiguration): Subject {
  const { name, imageCount, hasLog, blockSize = 512, isMissing } = configuration;
  return {
    name: `lvm mirror, ${name}`,
    manifest: {
      support: FULL_SUPPORT,
      canHideErrors: true,
      ...(hasLog
        ? {}
        : {
            skip: {
              transparency: "copying in the background takes as long as the layers below do",
              errors: "they are swept with a log on a device, where nothing is copied beside the work",
            },
          }),
    },
    async create(bench) {
      const images = Array.from({ length: imageCount }, (_, index) =>
        isMissing?.(index) === true ? null : bench.lower({ size: SIZE, blockSize }),
      );
      const log = hasLog ? bench.lower({ size: 8 * KIB, blockSize }) : null;
      if (bench.isFirst && log !== null) {
        // Images that are alike, and a log that says so: nothing is to be copied.
        for (const image of images)
          if (image !== null) await writeBytes(image, bench.environment, 0, new Uint8Array(MIRROR_SIZE));
        const bytes = new Uint8Array(4096);
        bytes.set(encodeMirrorLog({ regionCount: MIRROR_SIZE / REGION_SIZE }));
        bytes.fill(255, BITS_OFFSET);
        await writeBytes(log, bench.environment, 0, bytes, true);
      }
      return new MirrorLayer({
        name: "vg0/root",
        environment: bench.environment,
        size: MIRROR_SIZE,
        regionSize: REGION_SIZE,
        images,
        log,
        isLogMissing: false,
        isReadOnly: false,
        report: () => undefined,
      });
    },
  };
}

for (const configuration of mirrors) testLayer(mirrorSubject(configuration), { describe, test });

testLayer(
  {
    name: "lvm, a zero target",
    manifest: { support: READ_ONLY_SUPPORT },
    create: () => new ZeroLayer(64 * KIB),
  },
  { describe, test },
);
