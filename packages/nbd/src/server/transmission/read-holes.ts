import { Io, Op } from "@cev/core";
import type { CevError, Device, Extent } from "@cev/core";
import { DATA_OFFSET_LENGTH, encodeHole } from "../../protocol/chunk.ts";
import { nbdErrnoOf } from "../../protocol/errno.ts";
import { ChunkFlag, ChunkType } from "../../protocol/numbers.ts";
import { readHeadLength } from "./answers.ts";
import type { ColdWork } from "./cold-work.ts";
import { putReadError } from "./partial-read.ts";
import type { ChunkKind } from "./reply-writer.ts";
import type { Request } from "./request.ts";

/** Shorter reads do not ask for holes: it would cost more than it saves. */
export const HOLE_READ_LENGTH_MIN = 131_072;

// Shorter ones are sent as zeroes, and what is sent begins and ends at such a sector.
const HOLE_LENGTH_MIN = 65_536;
const SECTOR = 512;
const COUNT_MAX = 256;
// Pieces that are looked at: to read is cheaper than to go through a long list of them.
const EFFORT_MAX = 1024;

const HOLE: ChunkKind = { type: ChunkType.offsetHole, flags: 0 };
const LAST_HOLE: ChunkKind = { type: ChunkType.offsetHole, flags: ChunkFlag.done };
const DATA: ChunkKind = { type: ChunkType.offsetData, flags: 0 };
const LAST_DATA: ChunkKind = { type: ChunkType.offsetData, flags: ChunkFlag.done };

/** A part of a read, in bytes of the export. */
export interface ReadPiece {
  readonly offset: number;
  readonly end: number;
  readonly isHole: boolean;
}

/** Answers a read by a chunk for every run of data, and one for every hole. */
export async function readHolesWork(cold: ColdWork, request: Request): Promise<void> {
  const pieces = await piecesOf(cold, request.offset, request.length);
  for (const [index, piece] of pieces.entries()) {
    if (cold.isClosed) return;
    const isLast = index === pieces.length - 1;
    if (piece.isHole) {
      const payload = encodeHole(piece.offset, piece.end - piece.offset);
      cold.writer.putChunk(cold.style, request, isLast ? LAST_HOLE : HOLE, payload);
    } else if (!(await readPiece(cold, request, piece, isLast ? LAST_DATA : DATA))) {
      return;
    }
    cold.send();
  }
}

/** Asks for all that is around the read, to know for later ones, too, where nothing has to be asked. */
async function piecesOf({ target }: ColdWork, offset: number, length: number): Promise<readonly ReadPiece[]> {
  const { device, dense } = target;
  const { granuleLength } = dense;
  const end = offset + length;
  const from = offset - (offset % granuleLength);
  const to = Math.min(device.size, Math.ceil(end / granuleLength) * granuleLength);
  const around = await device.extents(from, to - from, { countMax: COUNT_MAX, effortMax: EFFORT_MAX });
  const known = around.reduce((sum, extent) => sum + extent.length, from);
  if (known === to && around.every(({ isZero }) => !isZero)) dense.note(from, to);
  // Many short runs lie before it: then only what is asked for.
  if (known < end)
    return piecesIn(
      await device.extents(offset, length, { countMax: COUNT_MAX, effortMax: EFFORT_MAX }),
      offset,
      offset,
      end,
    );
  return piecesIn(around, from, offset, end);
}

/** Cuts a read from `offset` to `end` by extents that begin at `from`. What they do not cover is data. */
export function piecesIn(
  extents: readonly Pick<Extent, "length" | "isZero">[],
  from: number,
  offset: number,
  end: number,
): readonly ReadPiece[] {
  const pieces: ReadPiece[] = [];
  let dataFrom = offset;
  let at = from;
  for (const { length, isZero } of extents) {
    const start = at;
    at += length;
    if (!isZero) continue;
    const holeFrom = start <= offset ? offset : Math.ceil(start / SECTOR) * SECTOR;
    const holeEnd = at >= end ? end : Math.floor(at / SECTOR) * SECTOR;
    if (holeEnd - holeFrom < HOLE_LENGTH_MIN) continue;
    if (holeFrom > dataFrom) pieces.push({ offset: dataFrom, end: holeFrom, isHole: false });
    pieces.push({ offset: holeFrom, end: holeEnd, isHole: true });
    dataFrom = holeEnd;
  }
  if (dataFrom < end) pieces.push({ offset: dataFrom, end, isHole: false });
  return pieces;
}

/** False: it failed, and the reply has ended. */
async function readPiece(
  cold: ColdWork,
  request: Request,
  { offset, end }: ReadPiece,
  kind: ChunkKind,
): Promise<boolean> {
  const { device } = cold.target;
  const { writer, style } = cold;
  const length = end - offset;
  const memory = await cold.memory(length);
  const io = new Io(device.environment.runQueue).prepare(Op.read, offset, length, memory.bytes);
  const error = await errorOf(io, device);
  const part = error === null ? length : Math.min(io.transferred, length - 1);
  if (cold.isClosed || part === 0) memory.release();
  if (cold.isClosed) return false;
  if (part > 0) {
    try {
      // Whole or not at all: behind half of it no error can be told.
      writer.reserve(readHeadLength(style));
    } catch (cause) {
      memory.release();
      throw cause;
    }
    writer.putChunkHead(style, request, error === null ? kind : DATA, DATA_OFFSET_LENGTH + part);
    writer.putWide(offset);
    writer.putView(memory.bytes, part, memory);
  }
  if (error === null) return true;
  request.errno = nbdErrnoOf(error.code);
  putReadError(writer, style, request, error, offset + part);
  return false;
}

/** Submits a request, waits for it, and returns what it failed with. */
async function errorOf(io: Io, device: Device): Promise<CevError | null> {
  const done = io.promise();
  device.submit(io);
  await done.catch(() => {});
  return io.error;
}
