import type { HeaderDevice } from "../header/header-device.ts";
import { gapsBetween } from "./plan-moves.ts";
import type { AreaMove, ByteRange } from "./plan-moves.ts";

/** Bytes that are overwritten at once. */
const WIPE_LENGTH = 1024 * 1024;

/** Copies an area, of which `length` bytes hold key material, to where nothing is in use, durably. */
export async function copyArea(
  device: HeaderDevice,
  { from, to }: Omit<AreaMove, "id">,
  length: number,
): Promise<void> {
  const material = await device.read(from, length);
  await device.writeDurably(to, material);
  material.fill(0);
}

/** Random bytes over all of a range that is in no area: key material lay there. */
export async function wipeBetween(
  device: HeaderDevice,
  offsets: readonly number[],
  size: number,
  range: ByteRange,
): Promise<void> {
  for (const { offset, end } of gapsBetween(offsets, size, range)) {
    for (let at = offset; at < end; at += WIPE_LENGTH) {
      const bytes = new Uint8Array(Math.min(WIPE_LENGTH, end - at));
      device.random(bytes);
      await device.writeDurably(at, bytes);
    }
  }
}
