import { Device, openTree, readBytes, writeBytes } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { RaidLayer, assembleArray, createArray } from "@cev/raid";
import { ChecksumLayer, planHeader } from "./cev-checksum/src/index.ts";

const MIB = 1 << 20;
const DISK_SIZE = 8 * MIB;

/** What the program saw. */
export interface Outcome {
  /** Bytes of the disks that were turned over behind the back of everybody. */
  readonly rottenBytes: number;
  /** Bytes that were read and are not what was written: with checksums below the mirror, and without. */
  readonly wrongWithSums: number;
  readonly wrongWithout: number;
}

/** A mirror of two disks that rot, once with checksums under it and once without. */
export async function healRot(environment: Environment, say: (line: string) => void): Promise<Outcome> {
  const withSums = await mirrorThatRots(environment, true);
  say(`with checksums: ${withSums.wrong} of ${withSums.rotten} rotten bytes were read`);
  const without = await mirrorThatRots(environment, false);
  say(`without: ${without.wrong} of ${without.rotten}`);
  return { rottenBytes: withSums.rotten, wrongWithSums: withSums.wrong, wrongWithout: without.wrong };
}

async function mirrorThatRots(
  environment: Environment,
  hasSums: boolean,
): Promise<{ wrong: number; rotten: number }> {
  const disks = [0, 1].map(() => new RamdiskLayer(environment, { size: DISK_SIZE }));
  const header = planHeader(DISK_SIZE, disks[0]!.limits.logicalBlockSize)!;
  const members: NamedLayer[] = [];
  for (const [index, disk] of disks.entries()) {
    const layer = hasSums ? new ChecksumLayer(disk, { environment, header, isNew: true }) : disk;
    await openTree(layer);
    members.push({ name: `d${index}`, layer });
  }
  await createArray({ environment, level: 1, members, name: "mirror", assumeClean: true });
  const { layer: array } = await assembleArray({ environment, members });
  if (!(array instanceof RaidLayer)) throw new Error("a new array is not being reshaped");
  await using device = await Device.open(array, environment);
  const content = new Uint8Array(device.size);
  for (let at = 0; at < content.length; at += MIB) environment.random(content.subarray(at, at + MIB));
  await device.write(0, content);
  await device.flush();
  const rotten = await rot(environment, disks);
  const read = await device.read(0, device.size);
  return { wrong: read.filter((byte, at) => byte !== content[at]).length, rotten };
}

/** Turns over a byte of every 64 KiB of the second half, now on one disk and then on the other, past all layers. */
async function rot(environment: Environment, disks: readonly RamdiskLayer[]): Promise<number> {
  let count = 0;
  for (let at = DISK_SIZE / 2; at < DISK_SIZE - MIB; at += 65_536) {
    const disk = disks[count++ % disks.length]!;
    const block = await readBytes(disk, environment, at, disk.limits.logicalBlockSize);
    block[0]! ^= 0xff;
    await writeBytes(disk, environment, at, block);
  }
  return count;
}
