import type { Geometry, Level } from "./level.ts";
import { MirrorMap } from "./mirror-map.ts";
import { decodeRaid10Layout, encodeRaid10Layout } from "./raid10-layout.ts";

/** Several copies of each chunk, on members in turn; their number need not divide that of the members. */
export const raid10: Level = {
  name: "raid10",
  number: 10,
  family: "mirror",
  memberCountMin: 2,
  isRedundant: true,
  hasChunks: true,
  layoutDefault: () => encodeRaid10Layout({ nearCount: 2, farCount: 1 }, false),
  layoutName,
  layoutNumber,
  sizeOf: (geometry) => new MirrorMap(geometry).size,
  syncSizeOf: (geometry) => new MirrorMap(geometry).size,
  survives,
};

/** mdadm names the copies only: far sets and which kind they are do not show. */
function layoutName(layout: number, memberCount: number): string | null {
  const shape = decodeRaid10Layout(layout, memberCount);
  if (shape === null) return null;
  const { nearCount, farCount, isOffset } = shape;
  const names: string[] = [];
  if (nearCount !== 1) names.push(`near=${nearCount}`);
  if (farCount !== 1) names.push(`${isOffset ? "offset" : "far"}=${farCount}`);
  return names.join(", ");
}

function layoutNumber(name: string): number | null {
  if (name === "default") return raid10.layoutDefault(0);
  const parts = /^(n|near=|f|far=|o|offset=)([0-9]{1,3})$/.exec(name);
  const count = Number(parts?.[2]);
  if (parts === null || count < 1 || count > COPIES_MAX) return null;
  const isOffset = parts[1]!.startsWith("o");
  return parts[1]!.startsWith("n")
    ? encodeRaid10Layout({ nearCount: count, farCount: 1 }, false)
    : encodeRaid10Layout({ nearCount: 1, farCount: count }, isOffset);
}

// mdadm takes no more.
const COPIES_MAX = 200;

/** The first chunks begin on every member on which any chunk begins: each needs a copy. */
function survives(geometry: Geometry, isPresent: (memberIndex: number) => boolean): boolean {
  const map = new MirrorMap(geometry);
  for (let chunk = 0; chunk < geometry.memberCount; chunk++) {
    const offset = chunk * geometry.chunkSize;
    let hasCopy = false;
    for (let copy = 0; copy < map.copyCount; copy++) hasCopy ||= isPresent(map.memberOf(offset, copy));
    if (!hasCopy) return false;
  }
  return true;
}
