import type { HeaderDevice } from "../header/header-device.ts";
import type { HeaderSource } from "../luks2/copies.ts";

const STEP = 1024 * 1024;

/** Bytes of the device, and of a backup: from one to the other. */
export interface CopiedRange {
  readonly offset: number;
  readonly end: number;
}

/** Puts a range of a backup where it was, or to `target`, durably. What is there already is not written again. */
export async function copyRange(
  backup: HeaderSource,
  device: HeaderDevice,
  { offset, end }: CopiedRange,
  target: number = offset,
): Promise<void> {
  for (let at = offset; at < end; at += STEP) {
    const length = Math.min(STEP, end - at);
    const to = target + at - offset;
    const bytes = await backup.read(at, length);
    if (Buffer.compare(bytes, await device.read(to, length)) !== 0) await device.writeDurably(to, bytes);
  }
}

/** True when the device holds in this range what the backup does. */
export async function isSameRange(
  backup: HeaderSource,
  device: HeaderDevice,
  { offset, end }: CopiedRange,
): Promise<boolean> {
  for (let at = offset; at < end; at += STEP) {
    const length = Math.min(STEP, end - at);
    if (Buffer.compare(await backup.read(at, length), await device.read(at, length)) !== 0) return false;
  }
  return true;
}
