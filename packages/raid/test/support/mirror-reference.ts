import type { Geometry } from "../../src/levels/level.ts";

/** Where one copy of a chunk lies. */
export interface ChunkPlace {
  readonly member: number;
  /** Counts the member's chunks. */
  readonly row: number;
}

/** A layout of RAID10, by its parts. */
export interface CopiesShape {
  readonly name: string;
  readonly near: number;
  readonly far: number;
  readonly isOffset: boolean;
}

export const COPIES_SHAPES: readonly CopiesShape[] = [
  { name: "near=2", near: 2, far: 1, isOffset: false },
  { name: "near=3", near: 3, far: 1, isOffset: false },
  { name: "far=2", near: 1, far: 2, isOffset: false },
  { name: "far=3", near: 1, far: 3, isOffset: false },
  { name: "offset=2", near: 1, far: 2, isOffset: true },
  { name: "offset=3", near: 1, far: 3, isOffset: true },
  { name: "near=2 far=2", near: 2, far: 2, isOffset: false },
];

export function layoutNumber({ near, far, isOffset }: CopiesShape): number {
  return near + far * 256 + (isOffset ? 65_536 : 0);
}

/**
 * Where all copies of all chunks lie, written down row by row: chunks are dealt to the members like cards, `near` times
 * each; every further far copy is the same dealing again, turned by `near` members, in the next section of the members or,
 * for offset layouts, in the next row.
 */
export function dealChunks(shape: CopiesShape, memberCount: number, rowsPerMember: number): ChunkPlace[][] {
  const sectionRows = Math.floor(rowsPerMember / shape.far);
  const chunks: ChunkPlace[][] = [];
  const chunkCount = Math.floor((sectionRows * memberCount) / shape.near);
  let member = 0;
  let row = 0;
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const places: ChunkPlace[] = [];
    for (let near = 0; near < shape.near; near++) {
      for (let far = 0; far < shape.far; far++) {
        places.push({
          member: (member + far * shape.near) % memberCount,
          row: shape.isOffset ? row * shape.far + far : row + far * sectionRows,
        });
      }
      member++;
      if (member === memberCount) {
        member = 0;
        row++;
      }
    }
    chunks.push(places);
  }
  return chunks;
}

/** The same for any mirror: RAID1 is one chunk as long as a member. */
export function placesOf(geometry: Geometry, shape: CopiesShape | null): ChunkPlace[][] {
  const { memberCount, memberSizes, chunkSize } = geometry;
  if (shape !== null) return dealChunks(shape, memberCount, Math.floor(memberSizes[0]! / chunkSize));
  return [Array.from({ length: memberCount }, (_, member) => ({ member, row: 0 }))];
}
