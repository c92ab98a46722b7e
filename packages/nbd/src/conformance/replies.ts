import { CHUNK_ERROR_BIT, ChunkType, NbdErrno } from "../protocol/numbers.ts";
import { commandName } from "./session.ts";
import type { Chunk, Reply } from "./session.ts";
import { demand, demandEqual, Violation } from "./violation.ts";

/** What an error chunk says. */
export interface ErrorChunk {
  readonly errno: number;
  readonly message: Buffer;
  /** The byte that it is about; null where it tells none. */
  readonly offset: bigint | null;
}

/** A stretch of a block status answer. */
export interface StatusExtent {
  readonly length: bigint;
  readonly flags: bigint;
}

const ERRNO_NAMES = new Map<number, string>(Object.entries(NbdErrno).map(([name, value]) => [value, name]));

export function errnoName(errno: number): string {
  return errno === 0 ? "success" : (ERRNO_NAMES.get(errno) ?? `error ${errno}`);
}

export function isErrorChunk({ type }: Chunk): boolean {
  return (type & CHUNK_ERROR_BIT) !== 0;
}

/** Reads an error chunk; its fields have to fit. */
export function decodeErrorChunk({ type, payload }: Chunk): ErrorChunk {
  const fixed = type === ChunkType.errorOffset ? 14 : 6;
  demand(payload.length >= fixed, `an error chunk has ${payload.length} bytes, too few for its type`);
  const messageLength = payload.readUInt16BE(4);
  demand(
    messageLength <= payload.length - fixed,
    `an error chunk of ${payload.length} bytes says that its message has ${messageLength}`,
  );
  const message = payload.subarray(6, 6 + messageLength);
  const offset = type === ChunkType.errorOffset ? payload.readBigUInt64BE(6 + messageLength) : null;
  return { errno: payload.readUInt32BE(0), message, offset };
}

/** The error of a reply: 0 where it succeeded. */
export function errnoOf({ simpleError, chunks }: Reply): number {
  if (simpleError !== null) return simpleError;
  const chunk = chunks.find(isErrorChunk);
  if (chunk === undefined) return 0;
  const { errno } = decodeErrorChunk(chunk);
  demand(errno !== 0, "an error chunk has the error 0");
  return errno;
}

export function demandSuccess(reply: Reply, what: string = commandName(reply.request.command)): void {
  const errno = errnoOf(reply);
  demand(errno === 0, `${what} was answered with ${errnoName(errno)}`);
}

/** Demands an error; one of these, if any are named. */
export function demandErrno(reply: Reply, wanted: readonly number[], what: string): void {
  const errno = errnoOf(reply);
  demand(errno !== 0, `${what} succeeded`);
  if (wanted.length > 0 && !wanted.includes(errno))
    throw new Violation(
      `${what} was answered with ${errnoName(errno)}, where it has to be ${wanted.map(errnoName).join(" or ")}`,
    );
}

/** A chunk of a read that brings contents. */
export interface Content {
  readonly offset: bigint;
  readonly length: bigint;
  /** Null: zeroes. */
  readonly data: Buffer | null;
}

/** Contents of a reply to a read. */
export function contentsOf({ chunks }: Reply): Content[] {
  const contents: Content[] = [];
  for (const { type, payload } of chunks) {
    if (type === ChunkType.offsetData) {
      demand(payload.length >= 9, `a data chunk has ${payload.length} bytes, fewer than 9`);
      contents.push({
        offset: payload.readBigUInt64BE(0),
        length: BigInt(payload.length - 8),
        data: payload.subarray(8),
      });
    } else if (type === ChunkType.offsetHole) {
      demandEqual(payload.length, 12, "the length of a hole chunk");
      const length = BigInt(payload.readUInt32BE(8));
      demand(length > 0n, "a hole chunk has a hole of no bytes");
      contents.push({ offset: payload.readBigUInt64BE(0), length, data: null });
    } else if (type !== ChunkType.none && (type & CHUNK_ERROR_BIT) === 0) {
      throw new Violation(`a reply to a read has a chunk of type ${type}`);
    }
  }
  return contents;
}

/** The same, by where they belong. */
export function contentsInOrder(reply: Reply): Content[] {
  return contentsOf(reply).toSorted((a, b) => (a.offset < b.offset ? -1 : 1));
}

/** Demands that content belongs to what was asked for. */
export function demandInside(content: Content, { offset, length }: Reply["request"]): void {
  demand(
    content.offset >= offset && content.offset + content.length <= offset + length,
    `a content chunk (${content.offset}, ${content.length} bytes) lies outside the request (${offset}, ${length} bytes)`,
  );
}

/** Demands that content in order does not begin before `at`, where what came before ends. Gives where it ends itself. */
export function demandBehind({ offset, length }: Content, at: bigint): bigint {
  demand(offset >= at, `content chunks overlap at ${offset}: what came before reaches to ${at}`);
  return offset + length;
}

/** What a successful read gave. Every byte has to have come once, and nothing else. */
export function dataOf(reply: Reply, what = "a read"): Buffer {
  demandSuccess(reply, what);
  if (reply.simpleData !== null) return reply.simpleData;
  const { offset, length } = reply.request;
  const data = Buffer.alloc(Number(length));
  let at = offset;
  for (const content of contentsInOrder(reply)) {
    demandInside(content, reply.request);
    const end = demandBehind(content, at);
    demand(content.offset === at, `no content came for ${at} to ${content.offset}`);
    if (content.data !== null) content.data.copy(data, Number(content.offset - offset));
    at = end;
  }
  demandEqual(at, offset + length, "the end of what a read brought");
  return data;
}

/** The extents of each context in a successful answer to block status. */
export function statusOf(reply: Reply): Map<number, StatusExtent[]> {
  demandSuccess(reply, "block status");
  const isExtended = reply.style === "extended";
  const found = new Map<number, StatusExtent[]>();
  for (const chunk of reply.chunks) {
    if (chunk.type === ChunkType.none) continue;
    const wanted = isExtended ? ChunkType.blockStatusExtended : ChunkType.blockStatus;
    demandEqual(chunk.type, wanted, "the type of a chunk of block status");
    const id = chunk.payload.length >= 4 ? chunk.payload.readUInt32BE(0) : -1;
    demand(!found.has(id), `two status chunks came for the context ${id}`);
    found.set(id, isExtended ? decodeExtended(chunk.payload) : decodeCompact(chunk.payload));
  }
  return found;
}

function decodeCompact(payload: Buffer): StatusExtent[] {
  demand(
    payload.length > 4 && (payload.length - 4) % 8 === 0,
    `a status chunk has ${payload.length} bytes, which is not 4 + a positive multiple of 8`,
  );
  const extents: StatusExtent[] = [];
  for (let at = 4; at < payload.length; at += 8)
    extents.push({
      length: BigInt(payload.readUInt32BE(at)),
      flags: BigInt(payload.readUInt32BE(at + 4)),
    });
  return extents;
}

function decodeExtended(payload: Buffer): StatusExtent[] {
  demand(
    payload.length > 8 && (payload.length - 8) % 16 === 0,
    `an extended status chunk has ${payload.length} bytes, which is not 8 + a positive multiple of 16`,
  );
  demandEqual(payload.readUInt32BE(4), (payload.length - 8) / 16, "the descriptor count of a status chunk");
  const extents: StatusExtent[] = [];
  for (let at = 8; at < payload.length; at += 16)
    extents.push({ length: payload.readBigUInt64BE(at), flags: payload.readBigUInt64BE(at + 8) });
  return extents;
}
