import { noOpKind } from "@cev/test-kit";
import type { SimulationKind } from "@cev/test-kit";
import { blockSizeKind, byteSwapKind, compressKind } from "./convert.ts";
import { groupKind } from "./lvm-group.ts";
import { raidVolumeKind } from "./lvm-raid.ts";
import { snapshotVolumeKind } from "./lvm-snapshots.ts";
import { volumeKind } from "./lvm.ts";
import { exchangeKind, growthKind, mirrorKind, pairKind, parityKind, zonesKind } from "./raid.ts";
import { cryptKind, driveLinkKind, partitionKind, ramdiskKind } from "./simple.ts";
import { snapshotKind } from "./snapshot.ts";
import { thinKind } from "./thin.ts";

/** All that stacks are drawn from. */
export const KINDS: readonly SimulationKind[] = [
  noOpKind,
  mirrorKind,
  parityKind,
  zonesKind,
  cryptKind,
  volumeKind,
  groupKind,
  raidVolumeKind,
  snapshotVolumeKind,
  snapshotKind,
  thinKind,
  driveLinkKind,
  partitionKind,
  ramdiskKind,
  blockSizeKind,
  byteSwapKind,
  compressKind,
];

/** Also those that are looked for by name alone: some of what the others are, more often. */
export const NAMED_KINDS: readonly SimulationKind[] = [...KINDS, pairKind, exchangeKind, growthKind];

/** Packages without a kind, and why. */
export const WITHOUT_KIND: Readonly<Record<string, string>> = {
  "create-cev-layer": "makes no layers",
  "@cev/cli": "makes no layers",
  "@cev/core": "what all others stand on",
  "@cev/hw-file": "is real input and output",
  "@cev/nbd": "speaks to other processes",
};
