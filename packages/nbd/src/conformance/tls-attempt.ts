import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";

/** What an attempt works with. */
interface AttemptParts {
  readonly options: ConnectionOptions;
  /** Sent as soon as TLS is there on this side. */
  readonly probe: Uint8Array;
  /** Called whenever something has happened. */
  readonly onChange: () => void;
}

/** This side of TLS over a connection that stays when TLS fails, so that what the server does then is seen. */
export class TlsAttempt {
  readonly #secure: TLSSocket;
  #sentCount = 0;
  #answerCount = 0;
  #error: Error | null = null;

  constructor(socket: Socket, { options, probe, onChange }: AttemptParts) {
    const tunnel = new Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => {
        this.#sentCount += bytes.length;
        if (socket.writable) socket.write(bytes);
        done();
      },
    });
    tunnel.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      if (!tunnel.destroyed) tunnel.push(bytes);
    });
    const secure = connectTls({ ...options, socket: tunnel });
    secure.on("error", (error) => {
      this.#error ??= error;
      onChange();
    });
    secure.on("data", (bytes: Buffer) => {
      this.#answerCount += bytes.length;
      onChange();
    });
    secure.once("secureConnect", () => secure.write(probe));
    this.#secure = secure;
  }

  /** Why it failed as far as this side knows; null while it has not. */
  get error(): Error | null {
    return this.#error;
  }

  /** Whether this side failed before the server heard anything of TLS. */
  get hasFailedUnheard(): boolean {
    return this.#error !== null && this.#sentCount === 0;
  }

  /** Whether something came in TLS. */
  get isAnswered(): boolean {
    return this.#answerCount > 0;
  }

  end(): void {
    this.#secure.destroy();
  }
}
