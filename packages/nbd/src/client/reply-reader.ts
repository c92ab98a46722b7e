import {
  CHUNK_ERROR_BIT,
  ChunkFlag,
  ChunkType,
  Command,
  HeaderStyle,
  NbdErrno,
} from "../protocol/numbers.ts";
import { DATA_OFFSET_LENGTH, HOLE_LENGTH, decodeBlockStatus, decodeError } from "../protocol/chunk.ts";
import { decodeReplyHead, newReplyHead } from "../protocol/reply-head.ts";
import { wideAt } from "../protocol/wide.ts";
import type { Channel } from "./channel.ts";
import type { ClientCommand } from "./command.ts";

/** Who knows which commands are under way. */
export interface ReplyUser {
  find(slot: number, generation: number): ClientCommand | null;
  /** All of its answer has come. */
  finished(command: ClientCommand): void;
}

// Shorter rests of data are received together with what follows them.
const DIRECT_MIN = 4096;
/** Descriptors of a status chunk. */
const STATUS_MAX = 1_048_576;
const ERROR_LENGTH_MAX = 65_536;

/** Between messages; in the head of a payload; in data; in a payload that is gathered. */
type Phase = "head" | "payload" | "data" | "gather";

/**
 * Reads answers out of a channel: heads from its buffer, long data right into the memory of reads. Whatever does not fit what was
 * asked is an answer to nothing, and the end of the connection.
 */
export class ReplyReader {
  readonly #channel: Channel;
  readonly #style: HeaderStyle;
  readonly #user: ReplyUser;
  readonly #head = newReplyHead();
  #phase: Phase = "head";
  #command: ClientCommand | null = null;
  /** Of data: where the next byte goes, counted from the beginning of the read, and how many are missing. */
  #at = 0;
  #left = 0;
  #isDirect = false;
  #gathered: Uint8Array | null = null;

  constructor(channel: Channel, style: HeaderStyle, user: ReplyUser) {
    this.#channel = channel;
    this.#style = style;
    this.#user = user;
  }

  /** True while the system may write into the memory of this read. */
  isFilling(command: ClientCommand): boolean {
    return this.#isDirect && this.#command === command;
  }

  /** Another command takes the rest of an answer. */
  replace(command: ClientCommand, by: ClientCommand): void {
    if (this.#command === command) this.#command = by;
  }

  /** Reads what has arrived. Returns what is wrong with it; null: nothing. */
  read(): string | null {
    const channel = this.#channel;
    for (;;) {
      if (channel.isClosed) return null;
      let problem: string | null | false;
      switch (this.#phase) {
        case "head":
          problem = this.#readHead();
          break;
        case "payload":
          problem = this.#readPayload();
          break;
        case "data":
          problem = this.#readData();
          break;
        default:
          problem = this.#gather();
      }
      if (problem === false) return null;
      if (problem !== null) return problem;
    }
  }

  /** Memory that the next bytes belong into, without a copy. */
  directRoom(): Uint8Array | null {
    const command = this.#command;
    this.#isDirect = false;
    const data = command?.data ?? null;
    if (this.#phase !== "data" || data === null || this.#left < DIRECT_MIN) return null;
    this.#isDirect = true;
    const at = command!.dataOffset + this.#at;
    return data.subarray(at, at + this.#left);
  }

  /** So many bytes were received there. Returns what is wrong; null: nothing. */
  arrivedDirectly(length: number): string | null {
    this.#isDirect = false;
    this.#at += length;
    this.#left -= length;
    return this.#left === 0 ? this.#chunkEnded() : null;
  }

  #readHead(): string | null | false {
    const channel = this.#channel;
    const head = this.#head;
    const length = decodeReplyHead(channel.view, channel.start, channel.available, this.#style, head);
    if (length === null) return false;
    if (length === false) return "the server sent something that is no reply";
    channel.start += length;
    const command = this.#user.find(head.cookieLow, head.cookieHigh);
    if (command === null) return "the server answered something that was not asked";
    this.#command = command;
    return head.style === HeaderStyle.simple ? this.#beginSimple(command) : this.#beginChunk(command);
  }

  #beginSimple(command: ClientCommand): string | null {
    const isRead = command.command === Command.read;
    if (this.#style !== HeaderStyle.simple && (isRead || command.command === Command.blockStatus))
      return "the server answered a read without the structure that was agreed upon";
    command.errno = this.#head.errno;
    if (!isRead || command.errno !== 0) {
      this.#finish(command);
      return null;
    }
    this.#head.flags = ChunkFlag.done;
    command.scatter.add(0, command.length);
    this.#beginData(0, command.length);
    return null;
  }

  #beginChunk(command: ClientCommand): string | null {
    const { type, flags, payloadLength, offset, style } = this.#head;
    if (style === HeaderStyle.extended && offset !== command.offset)
      return "the server's reply names another offset than the request";
    const isRead = command.command === Command.read;
    const isStatus = command.command === Command.blockStatus;
    switch (type) {
      case ChunkType.none:
        if (payloadLength !== 0 || (flags & ChunkFlag.done) === 0)
          return "the server sent an empty chunk that is not the last one";
        return this.#chunkEnded();
      case ChunkType.offsetData:
        if (!isRead || payloadLength <= DATA_OFFSET_LENGTH)
          return "the server sent data that was not asked for";
        this.#phase = "payload";
        return null;
      case ChunkType.offsetHole:
        if (!isRead || payloadLength !== HOLE_LENGTH) return "the server sent a hole that was not asked for";
        this.#phase = "payload";
        return null;
      case ChunkType.blockStatus:
      case ChunkType.blockStatusExtended: {
        const isExtended = style === HeaderStyle.extended;
        if (!isStatus || isExtended !== (type === ChunkType.blockStatusExtended))
          return "the server sent a status that was not asked for";
        if (payloadLength > 8 + 16 * STATUS_MAX) return "the server sent a status without an end";
        return this.#beginGather(payloadLength);
      }
      default:
        if ((type & CHUNK_ERROR_BIT) === 0) return `the server sent a chunk of the unknown type ${type}`;
        if (payloadLength > ERROR_LENGTH_MAX) return "the server sent an error without an end";
        return this.#beginGather(payloadLength);
    }
  }

  #beginGather(length: number): null {
    this.#gathered = new Uint8Array(length);
    this.#at = 0;
    this.#phase = "gather";
    return null;
  }

  #gather(): string | null | false {
    const channel = this.#channel;
    const payload = this.#gathered!;
    const length = Math.min(channel.available, payload.length - this.#at);
    payload.set(channel.bytes.subarray(channel.start, channel.start + length), this.#at);
    channel.start += length;
    this.#at += length;
    if (this.#at < payload.length) return false;
    this.#gathered = null;
    return (this.#head.type & CHUNK_ERROR_BIT) === 0 ? this.#status(payload) : this.#error(payload);
  }

  #status(payload: Uint8Array): string | null {
    const told = decodeBlockStatus(payload, this.#head.style === HeaderStyle.extended);
    if (told === null) return "the server sent a status that cannot be read";
    const command = this.#command!;
    // Only one context is ever selected here.
    if (told.contextId !== command.mark) return "the server sent a status of another context";
    if (command.extents !== null) return "the server sent the same status twice";
    command.extents = told.extents;
    return this.#chunkEnded();
  }

  #error(payload: Uint8Array): string | null {
    const command = this.#command!;
    const told = decodeError(payload, this.#head.type);
    if (told === null) return "the server sent an error that cannot be read";
    if (
      told.offset !== null &&
      !(told.offset >= command.offset && told.offset <= command.offset + command.length)
    )
      return "the server sent an error from outside the request";
    // What came before the first of all its errors is good; an error without a place may be anywhere.
    const before = told.offset === null ? 0 : told.offset - command.offset;
    if (command.errno === 0) {
      command.errno = told.errno === 0 ? NbdErrno.EINVAL : told.errno;
      command.text = told.message;
      if (command.command === Command.read)
        command.transferred = Math.min(before, command.scatter.coveredEnd);
    } else {
      command.transferred = Math.min(before, command.transferred);
    }
    return this.#chunkEnded();
  }

  #readPayload(): string | null | false {
    const channel = this.#channel;
    const { type, payloadLength } = this.#head;
    const isHole = type === ChunkType.offsetHole;
    const needed = isHole ? HOLE_LENGTH : DATA_OFFSET_LENGTH;
    if (channel.available < needed) return false;
    const command = this.#command!;
    const at = wideAt(channel.view, channel.start) - command.offset;
    const length = isHole ? channel.view.getUint32(channel.start + 8) : payloadLength - DATA_OFFSET_LENGTH;
    channel.start += needed;
    if (!command.scatter.add(at, at + length)) return "the server sent data outside the request, or twice";
    if (!isHole) {
      this.#beginData(at, length);
      return null;
    }
    const { data, dataOffset } = command;
    data?.fill(0, dataOffset + at, dataOffset + at + length);
    this.#phase = "head";
    return this.#chunkEnded();
  }

  #beginData(at: number, length: number): void {
    this.#phase = "data";
    this.#at = at;
    this.#left = length;
  }

  #readData(): string | null | false {
    const channel = this.#channel;
    const command = this.#command!;
    const length = Math.min(channel.available, this.#left);
    if (length > 0) {
      const { data, dataOffset } = command;
      data?.set(channel.bytes.subarray(channel.start, channel.start + length), dataOffset + this.#at);
      channel.start += length;
      this.#at += length;
      this.#left -= length;
    }
    if (this.#left > 0) return false;
    return this.#chunkEnded();
  }

  /** A chunk is through: with the last one, the answer is. */
  #chunkEnded(): string | null {
    this.#phase = "head";
    if ((this.#head.flags & ChunkFlag.done) === 0) {
      this.#command = null;
      return null;
    }
    const command = this.#command!;
    if (command.errno === 0) {
      if (command.command === Command.read && !command.scatter.isComplete)
        return "the server left a gap in what was read";
      if (command.command === Command.blockStatus && command.extents === null)
        return "the server sent no status";
    }
    this.#finish(command);
    return null;
  }

  #finish(command: ClientCommand): void {
    this.#command = null;
    this.#user.finished(command);
  }
}
