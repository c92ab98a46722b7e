import { Buffer } from "node:buffer";
import { encodeBlockStatus, encodeError, encodeHole } from "../../src/protocol/chunk.ts";
import { ChunkFlag, ChunkType, Command, HeaderStyle } from "../../src/protocol/numbers.ts";
import { chunkHeadLength, encodeChunkHead, encodeSimpleReply } from "../../src/protocol/reply-head.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";
import type { Chance } from "../client-streams/chance.ts";
import { EDGES } from "../client-streams/mutate.ts";
import { DISK_SIZE } from "./script.ts";

/** One message of an answer, before it is bytes. */
export interface Message {
  /** Null: a simple reply. */
  chunk: { type: number; flags: number; payload: Uint8Array } | null;
  errno: number;
  /** Behind a simple reply. */
  data: Uint8Array | null;
  cookieHigh: number;
  cookieLow: number;
  offset: number;
}

const NOTHING = new Uint8Array(0);
const ZEROES = Buffer.alloc(DISK_SIZE);
const TYPES = [0, 1, 2, 3, 5, 6, 7, 0x8000, 0x8001, 0x8002, 0x8003, 0xffff];

const message = (head: Readonly<RequestHead>, chunk: Message["chunk"], errno = 0): Message => ({
  chunk,
  errno,
  data: null,
  cookieHigh: head.cookieHigh,
  cookieLow: head.cookieLow,
  offset: head.offset,
});

/** How a good server tells that a request was done; for reads and status with what was asked for. */
export function successOf(
  head: Readonly<RequestHead>,
  style: HeaderStyle,
  disk: Uint8Array,
  context: number,
  chance: Chance,
): Message[] {
  if (head.command === Command.read) {
    const data = disk.slice(head.offset, head.offset + head.length);
    return style === HeaderStyle.simple
      ? [{ ...message(head, null), data }]
      : lastIsDone(head, dataChunks(head, data, chance), chance);
  }
  if (head.command === Command.blockStatus) {
    const payload = encodeBlockStatus(style, context, extentsOf(head, chance));
    const type = style === HeaderStyle.extended ? ChunkType.blockStatusExtended : ChunkType.blockStatus;
    return lastIsDone(head, [message(head, { type, flags: 0, payload })], chance);
  }
  if (style === HeaderStyle.extended || (style === HeaderStyle.structured && chance.oneIn(4)))
    return [message(head, { type: ChunkType.none, flags: ChunkFlag.done, payload: NOTHING })];
  return [message(head, null)];
}

/** How it tells of an error: of a read perhaps after a part of it. */
export function failureOf(
  head: Readonly<RequestHead>,
  style: HeaderStyle,
  disk: Uint8Array,
  errno: number,
  chance: Chance,
): Message[] {
  const isWord = head.command !== Command.read && head.command !== Command.blockStatus;
  if (style === HeaderStyle.simple || (style === HeaderStyle.structured && isWord && chance.oneIn(2)))
    return [message(head, null, errno)];
  const isRead = head.command === Command.read && head.offset + head.length <= disk.length;
  const parts =
    isRead && chance.oneIn(2)
      ? dataChunks(head, disk.slice(head.offset, head.offset + head.length), chance)
      : [];
  parts.splice(chance.below(parts.length + 1));
  const isPlaced = isRead && chance.oneIn(2);
  const at = isPlaced ? head.offset + chance.below(head.length) : null;
  const payload = encodeError(errno, "as was asked", at);
  parts.push(message(head, { type: isPlaced ? ChunkType.errorOffset : ChunkType.error, flags: 0, payload }));
  return lastIsDone(head, parts, chance);
}

/** The bytes of a message as a client gets them. */
export function encodeMessage(agreed: HeaderStyle, { chunk, errno, data, ...to }: Message): Buffer {
  // Whoever misbehaves sends chunks that were not agreed upon.
  const style = agreed === HeaderStyle.simple ? HeaderStyle.structured : agreed;
  const payload = chunk?.payload ?? data ?? NOTHING;
  const bytes = Buffer.alloc((chunk === null ? 16 : chunkHeadLength(style)) + payload.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (chunk === null) encodeSimpleReply(view, 0, to.cookieHigh, to.cookieLow, errno);
  else encodeChunkHead(view, 0, style, to, chunk, payload.length);
  bytes.set(payload, bytes.length - payload.length);
  return bytes;
}

/** Says something that a server must not, or changes nothing. */
export function makeMischief(messages: Message[], chance: Chance): void {
  if (messages.length === 0) return;
  const at = chance.below(messages.length);
  const one = messages[at]!;
  const { chunk } = one;
  switch (chance.below(11)) {
    case 0: // Twice.
      messages.splice(chance.below(messages.length + 1), 0, one);
      return;
    case 1: // Never.
      messages.splice(at, 1);
      return;
    case 2: // Too early.
      messages.splice(at, 1);
      messages.splice(chance.below(messages.length + 1), 0, one);
      return;
    case 3: {
      // In the name of another one, that is under way or was.
      const other = chance.pick(messages);
      one.cookieHigh = other.cookieHigh + (chance.oneIn(3) ? chance.below(3) - 1 : 0);
      one.cookieLow = other.cookieLow;
      return;
    }
    case 4:
      one.offset += chance.pick([1, -1, 512, DISK_SIZE]);
      return;
    case 5:
      one.errno = chance.oneIn(2) ? chance.word() : chance.pick([0, 1, 5, 22, 95, 108]);
      return;
    case 6:
      if (chunk !== null) chunk.type = chance.pick(TYPES);
      return;
    case 7:
      if (chunk !== null) chunk.flags ^= chance.oneIn(4) ? 1 << chance.below(16) : ChunkFlag.done;
      return;
    case 8: // A payload of another length.
      if (chunk !== null) chunk.payload = Buffer.concat([chunk.payload], chance.below(100));
      return;
    case 9: {
      // Numbers at the beginning of a payload: offsets, ids, errors.
      if (chunk === null || chunk.payload.length < 12) return;
      const view = new DataView(chunk.payload.buffer, chunk.payload.byteOffset);
      const [high, low] = chance.pick(EDGES);
      const place = 4 * chance.below(3);
      view.setUint32(place, chance.oneIn(2) ? high : low);
      if (place < 8 && chance.oneIn(2)) view.setUint32(place + 4, low);
      return;
    }
    default: {
      // The one in the form of the other.
      if (chunk === null)
        one.chunk = { type: chance.pick(TYPES), flags: chance.below(2), payload: one.data ?? NOTHING };
      else {
        one.chunk = null;
        one.data = chance.oneIn(2) ? chunk.payload : null;
      }
    }
  }
}

/** The data of a read in some pieces, in any order; zeroes perhaps as holes. */
function dataChunks(head: Readonly<RequestHead>, data: Uint8Array, chance: Chance): Message[] {
  const cuts = [0, data.length];
  for (let left = chance.oneIn(2) ? chance.below(5) : 0; left > 0; left--)
    cuts.push(chance.below(data.length));
  cuts.sort((a, b) => a - b);
  const chunks: Message[] = [];
  for (let index = 1; index < cuts.length; index++) {
    const start = cuts[index - 1]!;
    const end = cuts[index]!;
    if (start === end) continue;
    const at = head.offset + start;
    const isZero = at >= DISK_SIZE / 2 && ZEROES.compare(data, start, end, 0, end - start) === 0;
    const isHole = isZero && chance.oneIn(2);
    const payload = isHole ? encodeHole(at, end - start) : placed(at, data.subarray(start, end));
    const type = isHole ? ChunkType.offsetHole : ChunkType.offsetData;
    const chunk = message(head, { type, flags: 0, payload });
    chunks.splice(chance.below(chunks.length + 1), 0, chunk);
  }
  return chunks;
}

function placed(offset: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  new DataView(bytes.buffer).setUint32(4, offset);
  bytes.set(data, 8);
  return bytes;
}

function extentsOf(
  { offset, length }: Readonly<RequestHead>,
  chance: Chance,
): { readonly length: number; readonly status: number }[] {
  const half = DISK_SIZE / 2;
  const end = offset + length;
  const extents = [];
  if (offset < half) extents.push({ length: Math.min(half, end) - offset, status: 0 });
  if (end > half) extents.push({ length: end - Math.max(half, offset), status: chance.oneIn(2) ? 3 : 2 });
  return extents;
}

/** The last chunk says so, or one without content behind it. */
function lastIsDone(head: Readonly<RequestHead>, chunks: Message[], chance: Chance): Message[] {
  const last = chunks.at(-1)?.chunk ?? null;
  if (last === null || chance.oneIn(3))
    chunks.push(message(head, { type: ChunkType.none, flags: ChunkFlag.done, payload: NOTHING }));
  else last.flags = ChunkFlag.done;
  return chunks;
}
