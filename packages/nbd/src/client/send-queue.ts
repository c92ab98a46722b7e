import { Buffer } from "node:buffer";
import { Command, CommandFlag, HeaderStyle } from "../protocol/numbers.ts";
import { encodeRequestHead, newRequestHead, requestLength } from "../protocol/request-head.ts";
import { bufferOf } from "./channel.ts";
import type { Channel } from "./channel.ts";
import type { ClientCommand } from "./command.ts";

const MEMORY_LENGTH = 65_536;
// Data up to this length is copied behind its head: that costs less than one more piece of a write.
const COPIED_MAX = 16_384;
const PIECES_MAX = 128;

/** Commands on their way into a connection: those of one turn leave in one write. */
export class SendQueue {
  readonly #channel: Channel;
  readonly #style: HeaderStyle;
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY_LENGTH);
  readonly #view = new DataView(this.#memory.buffer, this.#memory.byteOffset, MEMORY_LENGTH);
  readonly #head = newRequestHead();
  #queue: ClientCommand[] = [];
  /** Those whose memory is sent from, by the write that is under way. */
  readonly #reading: ClientCommand[] = [];
  #isBusy = false;

  constructor(channel: Channel, style: HeaderStyle) {
    this.#channel = channel;
    this.#style = style;
  }

  /** All was handed to the socket. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  push(command: ClientCommand): void {
    this.#queue.push(command);
  }

  /** Takes one out that has not been sent. */
  remove(command: ClientCommand): void {
    const index = this.#queue.indexOf(command);
    if (index >= 0) this.#queue.splice(index, 1);
  }

  /** True while the system may read the memory of this write. */
  isReading(command: ClientCommand): boolean {
    return this.#isBusy && this.#reading.includes(command);
  }

  /** What was written has left. */
  drained(): void {
    this.#isBusy = false;
    this.flush();
  }

  /** Sends what waits, as far as the socket takes it. */
  flush(): void {
    while (!this.#isBusy && this.#queue.length > 0) this.#isBusy = !this.#channel.write(this.#batch());
  }

  #batch(): Buffer[] {
    const headLength = requestLength(this.#style);
    const pieces: Buffer[] = [];
    let start = 0;
    let end = 0;
    let count = 0;
    this.#reading.length = 0;
    for (const command of this.#queue) {
      const { data, dataOffset, length } = command;
      const payload = command.command === Command.write ? length : 0;
      const copied = payload <= COPIED_MAX ? payload : 0;
      if (end + headLength + copied > MEMORY_LENGTH || pieces.length >= PIECES_MAX) break;
      end += this.#encode(command, end);
      command.state = "sent";
      count++;
      if (copied > 0) {
        this.#memory.set(data!.subarray(dataOffset, dataOffset + copied), end);
        end += copied;
      } else if (payload > 0) {
        this.#reading.push(command);
        pieces.push(this.#memory.subarray(start, end), bufferOf(data!, dataOffset, payload));
        start = end;
      }
    }
    if (end > start) pieces.push(this.#memory.subarray(start, end));
    if (count === this.#queue.length) this.#queue.length = 0;
    else this.#queue.splice(0, count);
    return pieces;
  }

  #encode(command: ClientCommand, at: number): number {
    const head = this.#head;
    const hasPayload = this.#style === HeaderStyle.extended && command.command === Command.write;
    head.flags = command.flags | (hasPayload ? CommandFlag.payloadLength : 0);
    head.command = command.command;
    head.cookieHigh = command.generation;
    head.cookieLow = command.slot;
    head.offset = command.offset;
    head.length = command.length;
    return encodeRequestHead(this.#view, at, this.#style, head);
  }
}
