import { CevError } from "@cev/core";
import type { KeyslotPlace } from "../header/editor.ts";
import { HEADER_SIZES } from "./header.ts";

/** Areas of keyslots lie at multiples of it. */
export const AREA_ALIGNMENT = 4096;
/** Numbers of keyslots, tokens and segments that are looked at count from 0 to this. Exclusive. */
export const IDS_END = 32;
/** The splitter's stripes, as everywhere in LUKS. */
export const STRIPES = 4000;

const HEADER_AND_KEYSLOTS_DEFAULT = 16 * 1024 * 1024;
const KEYSLOTS_SIZE_MAX = 128 * 1024 * 1024;
const ALIGNMENT_DEFAULT = 1024 * 1024;

/** Where the parts of a LUKS2 device lie. Bytes. */
export interface Luks2Layout {
  /** One header copy with its JSON area. */
  readonly metadataSize: number;
  /** The area behind both copies in which the keyslots' areas lie. */
  readonly keyslotsSize: number;
  readonly dataOffset: number;
  /** All that is not data: both copies and the area for keyslots. */
  readonly headerLength: number;
}

/** Wishes for a layout. Bytes; what is left out is as `cryptsetup` chooses. */
export interface Luks2LayoutRequest {
  /** Of the device that carries the header. */
  readonly deviceSize: number;
  readonly metadataSize?: number;
  readonly keyslotsSize?: number;
  readonly dataOffset?: number;
  /** The data begins at a multiple of it. Default 1 MiB; of a detached header it is the data offset itself, and 0 by default. */
  readonly alignment?: number;
  /** The header lies on a device of its own. */
  readonly isDetached?: boolean;
}

/**
 * Where the parts of a new device lie: the choices of `cryptsetup luksFormat`, that is 16 KiB for each header copy and data from 16 MiB
 * on, less where the device is smaller. Throws `CEV_INVALID` for wishes that do not go together.
 */
export function planLuks2Layout(request: Luks2LayoutRequest): Luks2Layout {
  const { deviceSize, isDetached = false } = request;
  const metadataSize = request.metadataSize ?? HEADER_SIZES[0]!;
  if (!HEADER_SIZES.includes(metadataSize))
    throw invalid(`a header copy cannot take ${metadataSize} bytes, only ${HEADER_SIZES.join(", ")}`);
  const copies = 2 * metadataSize;
  const wanted = wantedDataOffset(request, copies);
  const keyslotsSize = keyslotsSizeOf(request, copies, wanted);
  const headerLength = copies + keyslotsSize;
  if (headerLength > deviceSize)
    throw invalid(`the header takes ${headerLength} bytes, the device has ${deviceSize}`);
  const alignment = request.alignment ?? ALIGNMENT_DEFAULT;
  if (wanted === null && (alignment <= 0 || alignment % 512 !== 0))
    throw invalid(`an alignment of ${alignment} bytes is not a multiple of 512`);
  const dataOffset = wanted ?? (isDetached ? 0 : Math.ceil(headerLength / alignment) * alignment);
  return { metadataSize, keyslotsSize, dataOffset, headerLength };
}

/** Null: it follows from the rest. The alignment of a detached header is where the data begins. */
function wantedDataOffset(request: Luks2LayoutRequest, copies: number): number | null {
  const dataOffset = request.dataOffset ?? (request.isDetached === true ? request.alignment : undefined);
  if (dataOffset === undefined || dataOffset === 0) return null;
  if (dataOffset % 512 !== 0) throw invalid(`data at byte ${dataOffset} would not begin at a sector of 512`);
  if (dataOffset < copies)
    throw invalid(`data at byte ${dataOffset} would lie within the header copies, which end at ${copies}`);
  if (request.alignment !== undefined && request.alignment > 0 && dataOffset % request.alignment !== 0)
    throw invalid(`data at byte ${dataOffset} is not aligned to ${request.alignment}`);
  return dataOffset;
}

function keyslotsSizeOf(request: Luks2LayoutRequest, copies: number, end: number | null): number {
  // A detached header, too, ends before the data would begin on a device that had both, or no reader takes it.
  const { keyslotsSize } = request;
  if (keyslotsSize !== undefined) {
    if (keyslotsSize <= 0 || keyslotsSize % AREA_ALIGNMENT !== 0 || keyslotsSize > KEYSLOTS_SIZE_MAX)
      throw invalid(
        `an area for keyslots of ${keyslotsSize} bytes is not a multiple of ${AREA_ALIGNMENT} up to ${KEYSLOTS_SIZE_MAX}`,
      );
    return end === null ? keyslotsSize : aligned(Math.min(keyslotsSize, end - copies));
  }
  const room = aligned(request.deviceSize - copies);
  if (room < 0) throw invalid(`the header copies take ${copies} bytes, the device has ${request.deviceSize}`);
  if (end !== null) return aligned(Math.min(end - copies, room, KEYSLOTS_SIZE_MAX));
  return Math.min(HEADER_AND_KEYSLOTS_DEFAULT - copies, room);
}

/** Bytes of the area that a key of this size needs. */
export function areaSizeOf(keySize: number): number {
  return Math.ceil((keySize * STRIPES) / AREA_ALIGNMENT) * AREA_ALIGNMENT;
}

/** Places of new keyslots on a device without any. Throws `CEV_NO_SPACE` when they do not fit. */
export function placeLuks2Keyslots(
  layout: Luks2Layout,
  keySize: number,
  ids: readonly number[],
): KeyslotPlace[] {
  const size = areaSizeOf(keySize);
  return ids.map((id, index) => {
    const offset = 2 * layout.metadataSize + index * size;
    if (id >= IDS_END || offset + size > layout.headerLength)
      throw new CevError(
        "CEV_NO_SPACE",
        `the area for keyslots has ${layout.keyslotsSize} bytes: keyslot ${id} of ${size} bytes does not fit`,
        { hint: "leave more room before the data, or use fewer keys" },
      );
    return { id, area: { offset, size } };
  });
}

function aligned(size: number): number {
  return Math.floor(size / AREA_ALIGNMENT) * AREA_ALIGNMENT;
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}
