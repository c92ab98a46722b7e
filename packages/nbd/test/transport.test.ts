import { Buffer } from "node:buffer";
import { createServer, connect } from "node:net";
import type { Server, Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { socketTransport } from "../src/transport/socket-transport.ts";
import type { Transport, TransportUser } from "../src/transport/transport.ts";
import { pattern } from "./support/stack.ts";

/** Sends everything back that it receives, in pieces, and takes no more than 5000 bytes before it has. */
class Echo implements TransportUser {
  transport: Transport | null = null;
  readonly memory = new Uint8Array(3000);
  waiting: Buffer[] = [];
  isSending = false;
  hasEnded = false;
  closings: (Error | null)[] = [];

  receiveInto(): Uint8Array {
    return this.memory;
  }

  received(length: number): boolean {
    expect(this.isSending).toBe(false);
    const copy = Buffer.from(this.memory.subarray(0, length));
    this.waiting.push(copy.subarray(0, length >> 1), copy.subarray(length >> 1));
    return this.#send();
  }

  ended(): void {
    this.hasEnded = true;
    if (!this.isSending) this.transport!.end();
  }

  drained(): void {
    this.isSending = false;
    if (this.hasEnded) this.transport!.end();
    else this.transport!.resume();
  }

  closed(error: Error | null): void {
    this.closings.push(error);
  }

  #send(): boolean {
    this.isSending = !this.transport!.write(this.waiting.splice(0).filter((piece) => piece.length > 0));
    return !this.isSending;
  }
}

describe.for(["right into memory", "by copying"])("bytes received %s", (way) => {
  let directory: string;
  let path: string;
  let server: Server;
  let echo: Echo;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
    path = join(directory, "sock");
    echo = new Echo();
    server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.on("connection", (socket) => {
      // As on a platform whose sockets have no such inside.
      if (way === "by copying") {
        const inner = socket as unknown as { _handle: { useUserBuffer: unknown } };
        Object.defineProperty(inner._handle, "useUserBuffer", { value: undefined });
      }
      echo.transport = socketTransport(socket, echo);
      echo.transport.resume();
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
  });

  afterEach(() => {
    echo.transport?.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });

  async function roundTrip(client: Socket, bytes: Uint8Array): Promise<Buffer> {
    const chunks: Buffer[] = [];
    client.on("data", (chunk: Buffer) => chunks.push(chunk));
    client.end(bytes);
    await new Promise((resolve) => client.once("close", resolve));
    return Buffer.concat(chunks);
  }

  test("come back as they were, and both sides close without an error", async () => {
    const bytes = pattern(3_000_000);
    const client = connect({ path, allowHalfOpen: true });
    expect(Buffer.compare(await roundTrip(client, bytes), bytes)).toBe(0);
    while (echo.closings.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(echo.closings).toEqual([null]);
  });

  test("do not come any more after a destroy, which is told once", async () => {
    const client = connect({ path });
    client.write(pattern(10));
    await new Promise((resolve) => client.once("data", resolve));
    echo.transport!.destroy();
    await new Promise((resolve) => client.once("close", resolve));
    while (echo.closings.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(echo.closings).toEqual([null]);
    expect(echo.transport!.write([Buffer.from("x")])).toBe(true);
  });
});
