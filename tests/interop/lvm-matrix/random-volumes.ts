import { isCevError } from "@cev/core";
import type { Device } from "@cev/core";
import type { Stack } from "@cev/stack";
import type { Random } from "../src/random.ts";

const SECTOR = 512;
const WRITES = 14;
const IN_FLIGHT_MAX = 5;
const PIECE = 1024 * 1024;

/** A volume of an opened group, and what it ought to hold. */
export interface VolumeModel {
  readonly name: string;
  readonly device: Device;
  /** Null: a snapshot that is invalid, because its store was full when its origin was written. */
  content: Uint8Array | null;
  /** A snapshot whose store was full when it was written itself: it takes no more writes, and can be read. */
  isFull: boolean;
}

/** Opens every volume of the group `vg` that can be read, and takes what it holds for what it ought to hold. */
export async function openVolumes(
  stack: Stack,
  names: readonly string[],
  group = "vg",
): Promise<VolumeModel[]> {
  const volumes: VolumeModel[] = [];
  for (const name of names) {
    if (!stack.devices.some((device) => device.name === `${group}/${name}` && device.layer !== null))
      continue;
    const device = await stack.open(`${group}/${name}`);
    volumes.push({ name, device, content: await readAll(device), isFull: false });
  }
  return volumes;
}

/** All that a device holds. */
export async function readAll(device: Device): Promise<Uint8Array> {
  const content = new Uint8Array(device.size);
  for (let at = 0; at < content.length; at += PIECE)
    content.set(await device.read(at, Math.min(PIECE, content.length - at)), at);
  return content;
}

/** Writes to all volumes at once, at random and little, so that snapshots are not filled by it; discards and zeroes, too. */
export async function workOnVolumes(volumes: readonly VolumeModel[], random: Random): Promise<void> {
  const writable = volumes.filter(({ device }) => !device.isReadOnly);
  if (writable.length === 0) return;
  for (let done = 0; done < WRITES * writable.length;) {
    const taken = new Map<VolumeModel, [number, number][]>();
    const batch: Promise<void>[] = [];
    for (let count = 1 + random.below(IN_FLIGHT_MAX); count > 0; count--) {
      const volume = random.pick(writable);
      const { size } = volume.device;
      const length = Math.min(size, SECTOR * (1 + random.below(random.pick([1, 8, 64]))));
      const offset = SECTOR * random.below((size - length) / SECTOR + 1);
      const ranges = taken.get(volume) ?? [];
      // Those under way never overlap, so that the outcome is certain.
      if (ranges.some(([from, to]) => offset < to && from < offset + length)) continue;
      taken.set(volume, [...ranges, [offset, offset + length]]);
      batch.push(workOnce(volume, random, offset, length));
    }
    await Promise.all(batch);
    done += batch.length;
    if (random.below(4) === 0) await flushVolume(random.pick(writable));
  }
  for (const volume of writable) await flushVolume(volume);
}

/** A snapshot that has been filled cannot promise anything. */
async function flushVolume(volume: VolumeModel): Promise<void> {
  try {
    await volume.device.flush();
  } catch (error) {
    if (!isCevError(error)) throw error;
    volume.content = null;
  }
}

/** Closes a stack that was written to; of a snapshot that was filled meanwhile it says so once more. */
export async function closeWritten(stack: Stack, volumes: readonly VolumeModel[]): Promise<void> {
  try {
    await stack.close();
  } catch (error) {
    if (!isCevError(error) || volumes.every(({ content }) => content !== null)) throw error;
  }
}

async function workOnce(volume: VolumeModel, random: Random, offset: number, length: number): Promise<void> {
  const { device, content } = volume;
  if (content === null || volume.isFull) return;
  const kind = random.below(12);
  try {
    if (kind === 0 && device.support.writeZeroes !== "none") {
      content.fill(0, offset, offset + length);
      await device.writeZeroes(offset, length);
      return;
    }
    const data = random.bytes(length);
    content.set(data, offset);
    await device.write(offset, data, { fua: kind === 1 });
  } catch (error) {
    // Whether it is one that may be full shows when it is read as a whole.
    if (!isCevError(error)) throw error;
    if (error.code === "CEV_NO_SPACE") volume.isFull = true;
    else volume.content = null;
  }
}

/** What is wrong with volumes that were worked on; a snapshot that was filled has to say so. */
export async function volumeFaults(volumes: readonly VolumeModel[]): Promise<string[]> {
  const faults: string[] = [];
  for (const volume of volumes) {
    let found: Uint8Array | null = null;
    try {
      found = await readAll(volume.device);
    } catch (error) {
      if (!isCevError(error)) throw error;
      // The origin's writes may have filled it.
      volume.content = null;
    }
    if (volume.content === null && found !== null)
      faults.push(`${volume.name} refused a write, but can be read`);
    if (volume.content === null || found === null) continue;
    // A part of the write that was refused may have been done.
    if (volume.isFull) volume.content = found;
    const { content } = volume;
    if (Buffer.compare(found, content) === 0) continue;
    const first = found.findIndex((byte, index) => byte !== content[index]);
    faults.push(`${volume.name} reads otherwise than it was written from ${first} on`);
  }
  return faults;
}
