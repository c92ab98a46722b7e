import { FAR_2, NEAR_2, OFFSET_2, shapeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** Levels that use members whole have all up to the old superblock, which lies at a multiple of 64 KiB. */
const OLD_WHOLE = 65_536;

/** RAID1 has no chunks, and little data: its members hold all of it. */
const raid1 = (changes: Partial<Shape>): Shape =>
  shapeOf({ level: 1, layout: 0, chunkSize: 0, memberCount: 2, ...changes });
const raid6 = (changes: Partial<Shape>): Shape => shapeOf({ level: 6, memberCount: 5, ...changes });
const raid10 = (changes: Partial<Shape>): Shape => shapeOf({ level: 10, layout: NEAR_2, ...changes });

const volume = (changes: Partial<Shape>): Shape =>
  shapeOf({ version: "dm-raid", bitmapChunkSize: 4096, ...changes });

/** The arrays that are made to crash: every level, each with old and new superblocks, with and without a bitmap. */
export const CRASH_SHAPES: readonly Shape[] = [
  shapeOf({ level: -1, layout: 0, memberCount: 3 }),
  shapeOf({ level: -1, layout: 0, memberCount: 3, version: "0.90", memberSize: OLD_WHOLE }),
  shapeOf({ level: 0, layout: 0, memberCount: 3 }),
  shapeOf({ level: 0, layout: 0, memberCount: 3, version: "0.90", memberSize: OLD_WHOLE }),
  raid1({}),
  raid1({ memberCount: 3, bitmapChunkSize: 4096 }),
  raid1({ version: "0.90", bitmapChunkSize: 4096 }),
  shapeOf({ level: 4, layout: 0 }),
  shapeOf({ level: 4, layout: 0, version: "0.90", bitmapChunkSize: 4096 }),
  shapeOf({}),
  shapeOf({ bitmapChunkSize: 4096 }),
  shapeOf({ version: "1.0", layout: 0, memberCount: 3, bitmapChunkSize: 8192 }),
  shapeOf({ version: "1.1", layout: 3, memberCount: 5 }),
  shapeOf({ version: "0.90" }),
  shapeOf({ version: "0.90", bitmapChunkSize: 8192 }),
  raid6({}),
  raid6({ bitmapChunkSize: 4096, memberSize: 65_536 }),
  raid6({ version: "0.90", memberCount: 4, layout: 1 }),
  raid10({}),
  raid10({ bitmapChunkSize: 8192, memberSize: 65_536 }),
  raid10({ memberCount: 3, bitmapChunkSize: 4096 }),
  raid10({ layout: FAR_2, memberCount: 3, bitmapChunkSize: 4096 }),
  raid10({ layout: OFFSET_2, bitmapChunkSize: 4096 }),
  raid10({ version: "0.90", bitmapChunkSize: 8192 }),
  // With room to grow into.
  raid1({ roomSize: 16_384, bitmapChunkSize: 4096 }),
  shapeOf({ roomSize: 16_384, bitmapChunkSize: 4096 }),
  raid6({ roomSize: 16_384, version: "1.0" }),
  // Volumes of LVM.
  volume({ level: 1, layout: 0, chunkSize: 0, memberCount: 2 }),
  volume({ level: 1, layout: 0, chunkSize: 0, memberCount: 3 }),
  volume({ layout: 2 }),
  volume({ layout: 4, memberCount: 3 }),
  volume({ level: 6, layout: 18, memberCount: 5 }),
  volume({ level: 10, layout: NEAR_2, memberSize: 65_536, bitmapChunkSize: 8192 }),
  // Larger than what is read or written at once.
  shapeOf({ memberCount: 3, chunkSize: 16_384, memberSize: 262_144, bitmapChunkSize: 16_384 }),
];

/** The arrays whose metadata is spoiled: every level with every version, and all that each can have. */
export const HOSTILE_SHAPES: readonly Shape[] = (["0.90", "1.0", "1.1", "1.2"] as const).flatMap(
  (version) => {
    const isOld = version === "0.90";
    const plain = { version, layout: 0, memberCount: 3 };
    const full = { version, bitmapChunkSize: 4096, hasBadBlockLog: !isOld };
    const whole = isOld ? { memberSize: OLD_WHOLE } : {};
    return [
      shapeOf({ level: -1, ...plain, ...whole }),
      shapeOf({ level: 0, ...plain, ...whole }),
      raid1({ ...full, memberCount: 3 }),
      shapeOf({ level: 4, layout: 0, ...full }),
      shapeOf(full),
      raid6(full),
      raid10(full),
    ];
  },
);
