import { answerRefused } from "./answers.ts";
import type { HeaderStyle, NbdErrno } from "../../protocol/numbers.ts";
import type { Addressee } from "../../protocol/reply-head.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** A request that was refused: its payload is thrown away as it comes, and the answer follows when all of it has come. */
export class RefusedPayload implements Addressee {
  cookieHigh = 0;
  cookieLow = 0;
  offset = 0;
  #length = 0;
  #errno: NbdErrno = 22;

  /** True while more of the payload is to come. */
  get isPending(): boolean {
    return this.#length > 0;
  }

  begin(errno: NbdErrno, { cookieHigh, cookieLow, offset }: Addressee, payloadLength: number): void {
    this.#errno = errno;
    this.cookieHigh = cookieHigh;
    this.cookieLow = cookieLow;
    this.offset = offset;
    this.#length = payloadLength;
  }

  /** False: there is more to come. */
  skip(receive: ReceiveBuffer, writer: ReplyWriter, style: HeaderStyle): boolean {
    const length = Math.min(this.#length, receive.available);
    receive.start += length;
    this.#length -= length;
    if (this.#length > 0) return false;
    answerRefused(writer, style, this, this.#errno);
    return true;
  }
}
