import { CevError } from "@cev/core";
import { bufferOf } from "./channel.ts";
import type { Channel, ChannelUser } from "./channel.ts";

/** A channel as the handshake uses it: so many bytes, then so many more. */
export class HandshakeStream implements ChannelUser {
  readonly #channel: Channel;
  #wake: (() => void) | null = null;
  #isBusy = false;
  #error: CevError | null = null;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.handTo(this);
  }

  /** The next bytes, of which the caller keeps a copy of its own. */
  async take(length: number): Promise<Uint8Array> {
    const channel = this.#channel;
    if (length > channel.bytes.length / 2) {
      throw new CevError("CEV_PROTOCOL", `the server announced a message of ${length} bytes`);
    }
    while (channel.available < length) await this.#change();
    const bytes = channel.bytes.slice(channel.start, channel.start + length);
    channel.start += length;
    return bytes;
  }

  /** Sends a message. */
  async send(...messages: readonly Uint8Array[]): Promise<void> {
    while (this.#isBusy) await this.#change();
    this.#check();
    this.#isBusy = !this.#channel.write(messages.map((bytes) => bufferOf(bytes, 0, bytes.length)));
  }

  arrived(): void {
    this.#tell();
  }

  directRoom(): null {
    return null;
  }

  arrivedDirectly(): void {}

  drained(): void {
    this.#isBusy = false;
    this.#tell();
  }

  closed(error: CevError): void {
    this.#error = error;
    this.#tell();
  }

  async #change(): Promise<void> {
    this.#check();
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #check(): void {
    if (this.#error !== null) throw this.#error;
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
