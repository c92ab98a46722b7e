/** Volumes made of segments, without a group around them. */
import { FULL_SUPPORT, READ_ONLY_SUPPORT, SegmentMap } from "@cev/core";
import type { Layer, MappedSegment } from "@cev/core";
import type { Subject } from "@cev/test-kit";
import { NOT_RESIZED } from "./not-resized.ts";
import { VolumeLayer } from "../../src/index.ts";
import { ZeroLayer } from "../../src/volumes/target-layer.ts";

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
    name: `segments: ${name}`,
    manifest: { support: isReadOnly ? READ_ONLY_SUPPORT : FULL_SUPPORT, skip: NOT_RESIZED },
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

const zero: Subject = {
  name: "a zero target",
  manifest: { support: READ_ONLY_SUPPORT, skip: NOT_RESIZED },
  create: () => new ZeroLayer(64 * KIB),
};

/** Volumes made of segments, and targets that need nothing below. */
export const segmentSubjects: readonly Subject[] = [...configurations.map(subjectOf), zero];
