import { Buffer } from "node:buffer";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { Device, Environment, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Command, OptionReply, OptionType } from "../../src/protocol/numbers.ts";
import type { NbdEvent } from "../../src/server/events.ts";
import type { NbdServerOptions } from "../../src/server/server-options.ts";
import { NbdServer } from "../../src/server/server.ts";
import { readCertificateFolder } from "../../src/tls/certificate-folder.ts";
import type { TlsServerSettings } from "../../src/tls/credentials.ts";
import { hasOpenssl, makeAuthority, makeCertificate, makeSelfSigned } from "../support/certificates.ts";
import { HandClock } from "../support/hand-clock.ts";
import { clientFlags, go, option, request } from "../support/messages.ts";
import { pattern } from "../support/stack.ts";

const SIZE = 1_048_576;
const DISK = Buffer.from(pattern(SIZE));
const KEY = pattern(32);
const PSK = { mode: "required", pskKeys: new Map([["alice", KEY]]) } as const;
const environment = environmentFrom(globalThis);

let folder: string;
let device: Device;
let server: NbdServer | null = null;
let events: NbdEvent[];
const sockets: Socket[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cev-tls-"));
  if (!hasOpenssl()) return;
  makeAuthority(folder);
  makeCertificate(folder, "server", { purpose: "serverAuth" });
  makeCertificate(folder, "client", { purpose: "clientAuth" });
  makeCertificate(folder, "expired", { isExpired: true });
  makeSelfSigned(folder, "selfish");
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  events = [];
  device = await Device.open(new MemoryLayer(environment, { size: SIZE, contents: DISK }), environment);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close({ isForced: true });
  await device.close();
});

async function start(tls: TlsServerSettings, options: Partial<NbdServerOptions> = {}): Promise<void> {
  const log = events;
  server = new NbdServer({
    environment,
    exports: [
      { name: "open", device },
      { name: "closed", device, isTlsOnly: true },
    ],
    tls,
    onEvent: (event) => log.push(event),
    ...options,
  });
  await server.listen({ path: join(folder, "sock") });
}

/** Reads so many bytes at a time off whatever socket it has at present. */
class Client {
  #socket: Socket;
  #bytes = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  isClosed = false;

  constructor() {
    this.#socket = this.#watch(connectPlain(join(folder, "sock")));
  }

  send(...messages: readonly Uint8Array[]): this {
    this.#socket.write(Buffer.concat(messages));
    return this;
  }

  async take(length: number): Promise<Buffer> {
    await this.#until(() => this.#bytes.length >= length);
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  /** The next answer to an option. */
  async reply(): Promise<{ readonly type: number; readonly data: Buffer }> {
    const head = await this.take(20);
    return { type: head.readUInt32BE(12), data: await this.take(head.readUInt32BE(16)) };
  }

  /** Answers up to an acknowledgement or a refusal, and its kind. */
  async outcome(): Promise<number> {
    for (;;) {
      const { type } = await this.reply();
      if (type === OptionReply.ack || type >= 0x8000_0000) return type;
    }
  }

  async closed(): Promise<void> {
    await this.#until(() => this.isClosed).catch(() => undefined);
  }

  /** Goes over to TLS, after the server has agreed to it. */
  async secure(options: ConnectionOptions): Promise<void> {
    this.#socket.removeAllListeners("data");
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...options });
    this.#socket = this.#watch(secure);
    await new Promise<void>((resolve) => {
      secure.once("secureConnect", resolve);
      secure.once("close", () => resolve());
    });
  }

  #watch(socket: Socket): Socket {
    sockets.push(socket);
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
    return socket;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.isClosed) throw new Error("closed");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** A client that has been greeted, and has told its flags. */
async function greeted(): Promise<Client> {
  const client = new Client().send(clientFlags());
  await client.take(18);
  return client;
}

const startTls = (): Buffer => option(OptionType.startTls);
const withKey = (key: Uint8Array = KEY): ConnectionOptions => ({
  ciphers: "PSK+HIGH:TLS_AES_128_GCM_SHA256",
  pskCallback: () => ({ identity: "alice", psk: key as Uint8Array<ArrayBuffer> }),
  checkServerIdentity: () => undefined,
});
const withCertificate = (name: string): ConnectionOptions => ({
  cert: readFileSync(join(folder, `${name}-cert.pem`)),
  key: readFileSync(join(folder, `${name}-key.pem`)),
});

async function lastClosed(): Promise<Extract<NbdEvent, { kind: "closed" }>> {
  for (;;) {
    const found = events.findLast((event) => event.kind === "closed");
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.skipIf(!hasOpenssl())("a server that requires TLS", () => {
  test("refuses everything but TLS and goodbyes, and serves whoever has the key", async () => {
    await start(PSK);
    const client = await greeted();
    client.send(go("open"), option(OptionType.list), option(OptionType.structuredReply));
    for (let count = 0; count < 3; count++) expect(await client.outcome()).toBe(OptionReply.errorTlsRequired);
    client.send(startTls());
    expect(await client.outcome()).toBe(OptionReply.ack);
    await client.secure(withKey());
    client.send(startTls());
    expect(await client.outcome()).toBe(OptionReply.errorInvalid);
    client.send(go("closed"));
    expect(await client.outcome()).toBe(OptionReply.ack);
    client.send(request({ command: Command.read, cookie: 7, offset: 4096, length: 65_536 }));
    const reply = await client.take(16 + 65_536);
    expect(Buffer.compare(reply.subarray(16), DISK.subarray(4096, 4096 + 65_536))).toBe(0);
    const payload = pattern(700_000, 3);
    client.send(request({ command: Command.write, offset: 512, payload }));
    expect((await client.take(16)).readUInt32BE(4)).toBe(0);
    client.send(request({ command: Command.disconnect }));
    await client.closed();
    expect(await lastClosed()).toMatchObject({
      export: "closed",
      security: { kind: "tls", username: "alice" },
      figures: { requestCount: 2, bytesRead: 65_536, bytesWritten: 700_000 },
      error: null,
    });
  });

  test("throws out who sends anything in plain behind the wish for TLS, in one piece or the next", async () => {
    await start(PSK);
    const inOnePiece = await greeted();
    inOnePiece.send(startTls(), go("open"));
    await inOnePiece.closed();
    expect(await lastClosed()).toMatchObject({ error: { code: "CEV_PROTOCOL" }, export: null });
    events.length = 0;
    const inTheNext = await greeted();
    inTheNext.send(startTls());
    await inTheNext.outcome();
    inTheNext.send(go("open"));
    await inTheNext.closed();
    expect(await lastClosed()).toMatchObject({ error: { code: "CEV_PROTOCOL" }, export: null });
  });

  test("forgets what was agreed on in plain", async () => {
    await start({ ...PSK, mode: "optional" });
    const client = await greeted();
    client.send(option(OptionType.structuredReply));
    expect(await client.outcome()).toBe(OptionReply.ack);
    client.send(startTls());
    expect(await client.outcome()).toBe(OptionReply.ack);
    await client.secure(withKey());
    client.send(go("open"));
    expect(await client.outcome()).toBe(OptionReply.ack);
    client.send(request({ command: Command.read, length: 512 }));
    // A simple reply: its magic, and no chunk.
    expect((await client.take(16)).readUInt32BE(0)).toBe(0x6744_6698);
  });

  test("has no patience with a TLS handshake that does not get on", async () => {
    const clock = new HandClock();
    const { later, random } = environment;
    await start(PSK, { environment: new Environment({ clock, later, random }), handshakeTimeoutMs: 200 });
    const client = await greeted();
    client.send(startTls());
    await client.outcome();
    clock.advance(200);
    await client.closed();
    expect(await lastClosed()).toMatchObject({ error: { code: "CEV_TIMED_OUT" } });
  });

  test("ends also while somebody is in the middle of a TLS handshake", async () => {
    await start(PSK);
    const client = await greeted();
    client.send(startTls());
    await client.outcome();
    expect(await server!.close()).toEqual({ unflushed: [], abandonedCount: 0 });
    await client.closed();
  });

  test.for(["expired", "selfish", "none"])("does not let in who shows the certificate %s", async (name) => {
    const certificates = await readCertificateFolder(folder, "server");
    await start({ mode: "required", certificates, verifiesPeer: true });
    const client = await greeted();
    client.send(startTls());
    await client.outcome();
    await client.secure(name === "none" ? {} : withCertificate(name));
    if (!client.isClosed) client.send(go("open"));
    await client.closed();
    expect(await lastClosed()).toMatchObject({ error: { code: "CEV_ACCESS" }, export: null });
  });

  test("tells the subject of who is let in by a certificate", async () => {
    const certificates = await readCertificateFolder(folder, "server");
    await start({ mode: "required", certificates, verifiesPeer: true });
    const client = await greeted();
    client.send(startTls());
    await client.outcome();
    await client.secure(withCertificate("client"));
    client.send(go("open"));
    expect(await client.outcome()).toBe(OptionReply.ack);
    expect(events.at(-1)).toMatchObject({ kind: "chosen", security: { subject: "CN=client" } });
  });
});

describe("a server where TLS is optional", () => {
  test("shows and gives exports that are for TLS alone to nobody in plain", async () => {
    await start({ ...PSK, mode: "optional" });
    const client = await greeted();
    client.send(option(OptionType.list));
    expect((await client.reply()).data.toString("utf8", 4)).toBe("open");
    expect(await client.outcome()).toBe(OptionReply.ack);
    client.send(go("closed"));
    expect(await client.outcome()).toBe(OptionReply.errorTlsRequired);
    client.send(go("open"));
    expect(await client.outcome()).toBe(OptionReply.ack);
  });
});

test("a server without TLS says that it has none", async () => {
  await start({ mode: "off" });
  const client = await greeted();
  client.send(startTls());
  expect(await client.outcome()).toBeGreaterThan(0x8000_0000);
  client.send(go("open"));
  expect(await client.outcome()).toBe(OptionReply.ack);
});
