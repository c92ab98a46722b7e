import { CevError } from "@cev/core";
import type { KeyslotPlace } from "../header/editor.ts";
import { LUKS1_KEYSLOT_COUNT, luks1AreaSize } from "./header.ts";

/** Areas of keyslots lie at multiples of it, and the first of them at it. */
export const LUKS1_AREA_ALIGNMENT = 4096;

const SECTOR = 512;
const ALIGNMENT = 1024 * 1024;
// The header keeps offsets in sectors, in 32 bits.
const OFFSET_MAX = 0xffff_ffff * SECTOR;

/** What decides where the parts of a new LUKS1 device lie. Sizes and offsets are bytes. */
export interface Luks1LayoutRequest {
  /** Of what carries the header. */
  readonly deviceSize: number;
  /** Of the volume key. */
  readonly keySize: number;
  /** Where the data is to begin. By default behind the areas, at a multiple of `alignment`. */
  readonly dataOffset?: number;
  /** Default 1 MiB. With a detached header: where the data begins, as `dataOffset`. */
  readonly alignment?: number;
  /** The data lies on another device: there it begins, unless something else is said, at 0. */
  readonly isDetached?: boolean;
}

/** Where the parts of a LUKS1 device lie. */
export interface Luks1Layout {
  readonly keySize: number;
  readonly dataOffset: number;
  /** End of the last keyslot's area, aligned as areas are. */
  readonly headerLength: number;
  /** Of all eight keyslots. */
  readonly areas: readonly { readonly offset: number; readonly size: number }[];
}

/** The places that `cryptsetup luksFormat --type luks1` chooses. Throws `CEV_INVALID` for what cannot be. */
export function planLuks1Layout(request: Luks1LayoutRequest): Luks1Layout {
  const { deviceSize, keySize, isDetached = false } = request;
  const areas = luks1Areas(keySize);
  const headerLength = roundUp(areas.at(-1)!.offset + areas.at(-1)!.size, LUKS1_AREA_ALIGNMENT);
  const dataOffset = dataOffsetOf(request, headerLength);
  if (headerLength > deviceSize)
    throw invalid(`the header takes ${headerLength} bytes, and the device has ${deviceSize}`);
  if (!isDetached && dataOffset + SECTOR > deviceSize)
    throw invalid(
      `the device has ${deviceSize} bytes: nothing is left for data, which would begin at byte ${dataOffset}`,
    );
  return { keySize, dataOffset, headerLength, areas };
}

/** The areas of all eight keyslots of a new header, one behind the other. */
export function luks1Areas(keySize: number): Luks1Layout["areas"] {
  const size = luks1AreaSize(keySize);
  const step = roundUp(size, LUKS1_AREA_ALIGNMENT);
  return Array.from({ length: LUKS1_KEYSLOT_COUNT }, (_, id) => ({
    offset: LUKS1_AREA_ALIGNMENT + id * step,
    size,
  }));
}

/** Places for new keyslots. Throws `CEV_INVALID` for a key of another size, and for numbers that there are not. */
export function placeLuks1Keyslots(
  layout: Luks1Layout,
  keySize: number,
  ids: readonly number[],
): KeyslotPlace[] {
  if (keySize !== layout.keySize)
    throw invalid(`every keyslot of LUKS1 holds the volume key of ${layout.keySize} bytes, and no other`);
  return ids.map((id) => {
    const area = layout.areas[id];
    if (area === undefined) throw invalid(`LUKS1 has keyslots 0 to ${LUKS1_KEYSLOT_COUNT - 1}, and no ${id}`);
    return { id, area };
  });
}

function dataOffsetOf(request: Luks1LayoutRequest, headerLength: number): number {
  const { alignment, isDetached = false } = request;
  if (alignment !== undefined && (alignment % SECTOR !== 0 || alignment < SECTOR))
    throw invalid(`an alignment of ${alignment} bytes is not a whole number of sectors`);
  // As cryptsetup has it: 0 says nothing, and with a detached header an alignment is where the data begins.
  const given = request.dataOffset ?? 0;
  const dataOffset = given === 0 && isDetached ? (alignment ?? 0) : given;
  if (dataOffset === 0) return isDetached ? 0 : roundUp(headerLength, alignment ?? ALIGNMENT);
  if (dataOffset % SECTOR !== 0 || dataOffset > OFFSET_MAX)
    throw invalid(`data cannot begin at byte ${dataOffset}: LUKS1 counts it in sectors, in 32 bits`);
  if (dataOffset < headerLength)
    throw invalid(`data cannot begin at byte ${dataOffset}: the keyslots end at byte ${headerLength}`);
  return dataOffset;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}
