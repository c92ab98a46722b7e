import { Device, openTree } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { RaidLayer, assembleArray, createArray } from "@cev/raid";

const MIB = 1 << 20;
const MEMBER_SIZE = 24 * MIB;
const PROGRESS_MS = 20;

/** What the program saw. */
export interface Outcome {
  /** Bytes of the array. */
  readonly size: number;
  /** Bytes that differed from what was written, with two members gone, and after the rebuild. */
  readonly wrongWhileDegraded: number;
  readonly wrongAfterwards: number;
  /** Sectors whose parity did not fit, after the rebuild. */
  readonly mismatches: number;
}

/**
 * Makes a RAID6 of five disks in memory, fills it, takes two of them away, goes on writing, puts two new ones in, and
 * compares all of it.
 */
export async function loseTwoAndRebuild(
  environment: Environment,
  say: (line: string) => void,
): Promise<Outcome> {
  const disk = async (name: string): Promise<NamedLayer> => {
    const layer = new RamdiskLayer(environment, { size: MEMBER_SIZE });
    await openTree(layer);
    return { name, layer };
  };
  const members = await Promise.all(["d0", "d1", "d2", "d3", "d4"].map(disk));
  await createArray({
    environment,
    level: 6,
    members,
    chunkSize: 65_536,
    name: "example",
    assumeClean: true,
  });

  const { layer: array } = await assembleArray({ environment, members });
  // In the middle of a reshape it would be another layer, which is only read.
  if (!(array instanceof RaidLayer)) throw new Error("a new array is not being reshaped");
  const device = await Device.open(array, environment, { name: "example" });
  const content = new Uint8Array(device.size);
  for (let at = 0; at < content.length; at += MIB) environment.random(content.subarray(at, at + MIB));
  await device.write(0, content);
  say(`wrote ${device.size / MIB} MiB to a RAID6 of five members`);

  await array.failMember("d1");
  await array.failMember("d3");
  const changed = new Uint8Array(MIB).fill(7);
  content.set(changed, 5 * MIB);
  await device.write(5 * MIB, changed);
  const wrongWhileDegraded = differences(await device.read(0, device.size), content);
  say(`two members failed, and one MiB was written anew: ${wrongWhileDegraded} bytes differ`);

  const timer = setInterval(() => {
    if (array.progress !== null) say(`  ${array.progress.action}: ${percent(array.progress)}%`);
  }, PROGRESS_MS);
  for (const name of ["d1", "d3"]) await array.removeMember(name);
  // Both are to be there before the rebuild begins: then one pass is enough.
  array.pauseSync();
  for (const name of ["new0", "new1"]) {
    const { layer } = await disk(name);
    await array.addMember(layer, name);
  }
  array.resumeSync();
  await array.idle();
  clearInterval(timer);
  say(`rebuilt: ${array.array.members.map(({ name, state }) => `${name} ${state}`).join(", ")}`);

  const wrongAfterwards = differences(await device.read(0, device.size), content);
  const mismatches = (await array.check()) / 512;
  say(`${wrongAfterwards} bytes differ, ${mismatches} sectors have the wrong parity`);
  await device.close();
  return { size: content.length, wrongWhileDegraded, wrongAfterwards, mismatches };
}

const percent = ({ done, total }: { readonly done: number; readonly total: number }): number =>
  Math.floor((100 * done) / total);

function differences(a: Uint8Array, b: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < b.length; at++) if (a[at] !== b[at]) count++;
  return count;
}
