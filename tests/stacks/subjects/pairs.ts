/** One kind of layer on top of another, in every order. Stacking must be invisible. */
import type { Manifest, Subject } from "@cev/test-kit";
import { KINDS, adapters, asynchronous, disk, diskSupport, emulation, raid5, split } from "../kinds.ts";
import type { Kind } from "../kinds.ts";

const SIZE = 49_152;
const SINGLE_SIZE = 131_072;

const GATHERED: NonNullable<Manifest["skip"]> = {
  transparency:
    "an array gathers the writes that come to it at once, and how many of another array's do depends on what stands between",
};

function pairSubject(upper: Kind, lower: Kind): Subject {
  // A layer between the array and its disks passes the loss on; an array below others makes good for it.
  const isRedundant = upper === raid5 || lower === raid5;
  return {
    name: `${upper.name} over ${lower.name}`,
    manifest: {
      support: upper.support(lower.support(diskSupport)),
      canHideErrors: isRedundant,
      lostLowersMax: isRedundant ? 1 : 0,
      ...(upper === raid5 && lower === raid5 ? { skip: GATHERED } : {}),
    },
    create: (bench) => upper.over(lower.over(disk))(bench, SIZE),
  };
}

function singleSubject(kind: Kind): Subject {
  return {
    name: `${kind.name} over disks`,
    manifest: {
      support: kind.support(diskSupport),
      canHideErrors: kind === raid5,
      lostLowersMax: kind === raid5 ? 1 : 0,
    },
    create: (bench) => kind.over(disk)(bench, SINGLE_SIZE),
  };
}

export const singleSubjects: readonly Subject[] = [...KINDS, adapters, emulation, split].map(singleSubject);

/** By the upper kind. Two that are asynchronous, one over the other, say nothing that one does not. */
export const pairSubjects: { readonly [upper: string]: readonly Subject[] } = Object.fromEntries(
  KINDS.map((upper) => [
    `${upper.name} over another`,
    KINDS.filter((lower) => upper !== asynchronous || lower !== asynchronous).map((lower) =>
      pairSubject(upper, lower),
    ),
  ]),
);
