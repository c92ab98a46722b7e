import { closeTree, openTree } from "@cev/core";
import { noOpKind } from "@cev/test-kit";
import type { SimulationKind } from "@cev/test-kit";
import { ChecksumLayer, findHeader, planHeader } from "../src/index.ts";
import type { Header } from "../src/index.ts";

const BLOCK_SIZE = 512;

/** The layer, for the simulator: how large a disk it wants, how one is made, and how it is opened. */
export const checksumKind: SimulationKind = {
  name: "checksum",
  package: "cev-checksum",
  planVersion: 1,
  // Whatever becomes of the disk is noticed: data, sums and header alike.
  traits: ({ length }) => ({ detects: { offset: 0, length: length as number } }),
  plan(_random, size) {
    const length = 512 * Math.ceil((size * 33) / 32 / 512) + 16_384;
    return { kind: "checksum", options: { length }, lowers: [length] };
  },
  async format({ environment, whole }) {
    const { layer: disk } = whole()[0]!;
    const header = planHeader(disk.limits.size, Math.max(BLOCK_SIZE, disk.limits.logicalBlockSize))!;
    const layer = new ChecksumLayer(disk, { environment, header, isNew: true });
    await openTree(layer);
    await closeTree(layer);
  },
  async open({ environment, whole }) {
    const { layer: disk } = whole()[0]!;
    const header = (await findHeader(disk, environment)) as Header;
    return new ChecksumLayer(disk, { environment, header });
  },
};

/** What stacks are drawn from. With others, or in another order, a seed means something else. */
export const kinds: readonly SimulationKind[] = [checksumKind, noOpKind];
