import { Command, CommandFlag, HeaderStyle, NbdErrno } from "../../protocol/numbers.ts";
import {
  decodeRequestHead,
  newRequestHead,
  payloadLengthOf,
  requestLength,
  requestMagic,
} from "../../protocol/request-head.ts";
import type { RequestHead } from "../../protocol/request-head.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import type { SelectedContext } from "../contexts/selected.ts";
import type { Export } from "../exports/export.ts";
import type { Choice } from "../handshake/choice.ts";
import { decodeStatusPayload, statusPayloadLengthMax } from "./block-status.ts";
import { checkPayload } from "./extended-request.ts";
import { checkRequest } from "./request-check.ts";

/** Reads the heads of requests, and says what is wrong with them. */
export class Intake {
  /** The head that was read last. */
  readonly head: RequestHead = newRequestHead();
  /** Bytes of a head. */
  readonly headLength: number;
  /** Bytes that follow it on the wire. */
  payloadLength = 0;
  /** The contexts that it asks, if it is for their status. */
  contexts: readonly SelectedContext[];
  readonly #target: Export;
  readonly #style: HeaderStyle;
  readonly #magic: number;
  readonly #offered: number;
  readonly #payloadMax: number;
  readonly #selected: readonly SelectedContext[];

  constructor({ target, style, contexts, payloadMax }: Choice) {
    this.contexts = contexts;
    this.headLength = requestLength(style);
    this.#target = target;
    this.#style = style;
    this.#magic = requestMagic(style);
    this.#offered = target.flags(style, contexts.length > 0);
    this.#payloadMax = payloadMax;
    this.#selected = contexts;
  }

  isHead(view: DataView, at: number): boolean {
    return view.getUint32(at) === this.#magic;
  }

  /**
   * Reads the head at `at`. Returns the error that the request is to be refused with, or 0; null: the client breaks the protocol. Of a
   * request for status no more than its payload is looked at here.
   */
  read(view: DataView, at: number): NbdErrno | 0 | null {
    const { head } = this;
    decodeRequestHead(view, at, this.#style, head);
    const payloadLength = payloadLengthOf(this.#style, head);
    this.payloadLength = payloadLength;
    const { command } = head;
    if (command === Command.disconnect) return 0;
    if (this.#style === HeaderStyle.extended) {
      const errno = checkPayload(head, payloadLength, this.#offered, this.#payloadMax);
      head.flags &= ~CommandFlag.payloadLength;
      if (errno !== 0) return errno;
    }
    if (command === Command.blockStatus) return 0;
    return checkRequest(this.#target, this.#offered, head, false, this.#payloadMax);
  }

  /** Reads what a request for status still has to say. Precondition: its head has just been read. Null: more bytes are needed. */
  readStatus(receive: ReceiveBuffer): NbdErrno | 0 | null {
    const { head, payloadLength } = this;
    this.contexts = this.#selected;
    if (payloadLength > 0) {
      if (payloadLength > statusPayloadLengthMax(this.#selected)) return NbdErrno.EINVAL;
      if (receive.available < this.headLength + payloadLength) return null;
      const payloadAt = receive.start + this.headLength;
      const payload = decodeStatusPayload(receive.memory.view, payloadAt, payloadLength, this.#selected);
      if (payload === null) return NbdErrno.EINVAL;
      head.length = payload.length;
      this.contexts = payload.contexts;
    }
    return checkRequest(this.#target, this.#offered, head, this.contexts.length > 0);
  }
}
