import type { Geometry, Level } from "./level.ts";
import type { StripeLayout } from "./stripe-layout.ts";
import { usedMemberSize } from "./member-size.ts";

/** What RAID4, 5 and 6 differ in. */
export interface ParityLevelOptions {
  readonly name: string;
  readonly number: number;
  readonly memberCountMin: number;
  /** All with the same number of parities. */
  readonly layouts: readonly StripeLayout[];
  /** Further names of layouts that mdadm takes. */
  readonly aliases: readonly (readonly [name: string, layout: number])[];
}

/** A level of data and parity. Its members are used up to the last whole chunk. */
export function parityLevel(options: ParityLevelOptions): Level {
  const { name, number, memberCountMin, layouts, aliases } = options;
  const parityCount = layouts[0]!.parityCount;
  const numbers = new Map([...layouts.map((one) => [one.name, one.number] as const), ...aliases]);
  return {
    name,
    number,
    family: "parity",
    memberCountMin,
    isRedundant: true,
    hasChunks: true,
    layoutDefault: () => numbers.get("default")!,
    layoutName: (layout) => layouts.find((one) => one.number === layout)?.name ?? null,
    layoutNumber: (text) => numbers.get(text) ?? null,
    sizeOf: (geometry) => usedMemberSize(geometry) * (geometry.memberCount - parityCount),
    syncSizeOf: usedMemberSize,
    survives: (geometry, isPresent) => missingCount(geometry, isPresent) <= parityCount,
  };
}

function missingCount({ memberCount }: Geometry, isPresent: (memberIndex: number) => boolean): number {
  let count = 0;
  for (let index = 0; index < memberCount; index++) if (!isPresent(index)) count++;
  return count;
}
