import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import type { Environment } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nbdUri } from "../src/transport/listen.ts";
import type { NbdEvent } from "../src/server/events.ts";
import type { NbdServerOptions } from "../src/server/server-options.ts";
import { Command, OptionType } from "../src/protocol/numbers.ts";
import { NbdServer } from "../src/server/server.ts";
import { clientFlags, go, option, parseReplies, request } from "./support/messages.ts";
import { pattern } from "./support/stack.ts";

const SIZE = 8 * 1024 * 1024;
const DISK = Buffer.from(pattern(SIZE));

let environment: Environment;
let directory: string;
let path: string;
let layer: MemoryLayer;
let faults: FaultLayer;
let device: Device;
let server: NbdServer;
let events: NbdEvent[];
const clients: Client[] = [];

beforeEach(async () => {
  environment = environmentFrom(globalThis);
  directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
  path = join(directory, "sock");
  layer = new MemoryLayer(environment, { size: SIZE, contents: DISK });
  faults = new FaultLayer(layer, environment);
  device = await Device.open(faults, environment);
  events = [];
  server = makeServer();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  faults.reset();
  await server.close({ isForced: true });
  await device.close();
  rmSync(directory, { recursive: true });
});

function makeServer(options: Partial<NbdServerOptions> = {}): NbdServer {
  // A server that was forced to close tells of its last connections a little later: not to the next test.
  const log = events;
  return new NbdServer({
    environment,
    exports: [{ name: "disk", device }],
    onEvent: (event) => log.push(event),
    ...options,
  });
}

/** A client over a real socket, as simple as can be. */
class Client {
  readonly socket: Socket;
  #bytes: Buffer[] = [];
  #length = 0;
  #wake: (() => void) | null = null;
  readonly closed: Promise<void>;

  constructor(address: NetConnectOpts) {
    this.socket = connect(address);
    this.socket.on("data", (chunk: Buffer) => {
      this.#bytes.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    this.socket.once("close", () => this.#wake?.());
    clients.push(this);
  }

  send(...messages: readonly Uint8Array[]): this {
    for (const each of messages) this.socket.write(each);
    return this;
  }

  async take(length: number): Promise<Buffer> {
    while (this.#length < length) {
      if (this.socket.destroyed) throw new Error(`closed after ${this.#length} of ${length} bytes`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const all = Buffer.concat(this.#bytes);
    this.#bytes = [all.subarray(length)];
    this.#length -= length;
    return all.subarray(0, length);
  }

  async enter(): Promise<this> {
    this.send(clientFlags(), option(OptionType.structuredReply), go("disk"));
    await this.take(18 + 20 + 32 + 20);
    return this;
  }

  async read(offset: number, length: number, cookie = 1): Promise<Buffer> {
    this.send(request({ command: Command.read, cookie, offset, length }));
    return parseReplies(await this.take(28 + length))[0]!.data;
  }
}

async function listenAndEnter(): Promise<Client> {
  await server.listen({ path });
  return new Client({ path }).enter();
}

/** Waits for something that is under way already: there is no other sign of it from outside. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe("addresses", () => {
  test("a Unix socket has the mode that was asked for, and is gone after the close", async () => {
    await server.listen({ path, mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test("TCP takes a free port, and one server listens in several places", async () => {
    const address = await server.listen({ host: "127.0.0.1", port: 0 });
    await server.listen({ path });
    if (!("port" in address)) throw new Error("no port");
    expect(nbdUri(address, "a b")).toBe(`nbd://127.0.0.1:${address.port}/a%20b`);
    const overTcp = await new Client({ host: "127.0.0.1", port: address.port }).enter();
    const overUnix = await new Client({ path }).enter();
    expect(Buffer.compare(await overTcp.read(512, 4096), DISK.subarray(512, 4608))).toBe(0);
    expect(Buffer.compare(await overUnix.read(512, 4096), DISK.subarray(512, 4608))).toBe(0);
  });

  test("a socket file of a server that is gone is replaced, a live one is not", async () => {
    await server.listen({ path });
    const second = makeServer();
    await expect(second.listen({ path })).rejects.toMatchObject({ code: "CEV_BUSY" });
    await new Client({ path }).enter();
    // What a server that was killed leaves behind: a socket file that nobody listens to.
    const stale = join(directory, "stale");
    const script = `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    expect(existsSync(stale)).toBe(true);
    await second.listen({ path: stale });
    await new Client({ path: stale }).enter();
    await second.close();
  });

  test("a file that is no socket is left alone", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "precious");
    await expect(server.listen({ path: file })).rejects.toMatchObject({
      code: "CEV_BUSY",
      message: expect.stringMatching(/a file that is no socket has this name/) as string,
    });
    expect(statSync(file).size).toBe(8);
  });

  test("a place that is not there is said to be not there", async () => {
    await expect(server.listen({ path: join(directory, "no", "sock") })).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
      message: expect.stringMatching(/there is no folder .*no$/) as string,
    });
    writeFileSync(join(directory, "file"), "");
    await expect(server.listen({ path: join(directory, "file", "sock") })).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
      message: expect.stringMatching(/.*file is no folder$/) as string,
    });
  });

  test("a path that is too long for a socket is refused as such", async () => {
    const long = join(directory, "x".repeat(150));
    await expect(server.listen({ path: long })).rejects.toMatchObject({
      code: "CEV_INVALID",
      message: expect.stringMatching(
        /its path has \d+ bytes, more than the system allows: 107 on Linux/,
      ) as string,
    });
  });
});

describe("connections", () => {
  test("many read and write at once, each its own part", async () => {
    await server.listen({ path });
    await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const client = await new Client({ path }).enter();
        const start = index * 262_144;
        for (let round = 0; round < 8; round++) {
          const payload = pattern(65_536, index * 8 + round);
          client.send(request({ command: Command.write, offset: start, payload }));
          expect(parseReplies(await client.take(16))[0]!.error).toBe(0);
          expect(Buffer.compare(await client.read(start, 65_536), payload)).toBe(0);
          expect(
            Buffer.compare(
              await client.read(start + 65_536, 100_000),
              DISK.subarray(start + 65_536, start + 165_536),
            ),
          ).toBe(0);
        }
      }),
    );
    expect(server.connectionCount).toBe(16);
  });

  test("a write that is longer than any buffer of the connection arrives whole", async () => {
    const client = await listenAndEnter();
    const payload = pattern(4_000_000, 3);
    client.send(request({ command: Command.write, offset: 1000, payload }));
    expect(parseReplies(await client.take(16))[0]!.error).toBe(0);
    expect(Buffer.compare(await client.read(1000, 4_000_000), payload)).toBe(0);
  });

  test("one that hangs in the device does not hold up others, nor later requests of its own", async () => {
    const first = await listenAndEnter();
    const second = await new Client({ path }).enter();
    faults.add({ fault: { kind: "hang" }, offset: 0, length: 512 });
    first.send(request({ command: Command.read, cookie: 1, offset: 0, length: 512 }));
    await until(() => faults.hangingCount === 1);
    expect(await first.read(4096, 512, 2)).toHaveLength(512);
    expect(await second.read(4096, 512)).toHaveLength(512);
    faults.reset();
    expect(parseReplies(await first.take(540))[0]!.cookie).toBe(1);
  });

  test("garbage ends its connection alone", async () => {
    const good = await listenAndEnter();
    const bad = await new Client({ path }).enter();
    bad.send(Buffer.alloc(100_000, 0x42));
    await bad.closed;
    expect(events.find(({ kind }) => kind === "closed")).toMatchObject({
      connection: 2,
      error: { code: "CEV_PROTOCOL" },
    });
    expect(await good.read(0, 512)).toHaveLength(512);
  });

  test("a client that vanishes in the middle of a write has written nothing, and nobody else notices", async () => {
    const good = await listenAndEnter();
    for (const length of [29, 100_000, 900_000]) {
      const bad = await new Client({ path }).enter();
      bad.send(
        request({ command: Command.write, offset: 0, payload: pattern(1_000_000, 99) }).subarray(0, length),
      );
      await new Promise<void>((resolve) => bad.socket.write("", () => resolve()));
      bad.socket.destroy();
    }
    await until(() => server.connectionCount === 1);
    expect(Buffer.compare(await good.read(0, 1_000_000), DISK.subarray(0, 1_000_000))).toBe(0);
  });

  test("a client that does not read is not read from; the others are served, and it gets everything in the end", async () => {
    const good = await listenAndEnter();
    const slow = await new Client({ path }).enter();
    slow.socket.pause();
    const count = 400;
    const length = 65_536;
    for (let cookie = 0; cookie < count; cookie++)
      slow.send(request({ command: Command.read, cookie, offset: cookie * 512, length }));
    for (let round = 0; round < 50; round++) expect(await good.read(round * 4096, 4096)).toHaveLength(4096);
    // Far less than the 26 MB it asked for.
    expect(environment.buffers.bytesLent).toBeLessThan(4_000_000);
    slow.socket.resume();
    const replies = parseReplies(await slow.take(count * (28 + length)));
    expect(replies.map(({ cookie }) => cookie)).toEqual([...Array(count).keys()]);
  });

  test("above the limit connections are turned away", async () => {
    const other = makeServer({ connectionsMax: 1 });
    await other.listen({ path });
    await new Client({ path }).enter();
    const second = new Client({ path });
    await second.closed;
    expect(events.some(({ kind }) => kind === "turnedAway")).toBe(true);
    await other.close();
  });

  test("opening, the choice of an export, and closing are told", async () => {
    const client = await listenAndEnter();
    client.send(request({ command: Command.disconnect }));
    await client.closed;
    await until(() => events.length === 3);
    expect(events).toMatchObject([
      { kind: "opened", connection: 1 },
      { kind: "chosen", connection: 1, export: "disk" },
      { kind: "closed", connection: 1, export: "disk", error: null },
    ]);
  });

  test("whoever says goodbye in the handshake has left, also without waiting for the answers", async () => {
    await server.listen({ path });
    const client = new Client({ path });
    await client.take(18);
    // It reads nothing of the answer, and so resets the connection.
    client.socket.pause();
    client.send(Buffer.concat([clientFlags(), option(OptionType.list), option(OptionType.abort)]));
    await until(() => client.socket.writableLength === 0);
    client.socket.destroy();
    await until(() => events.length === 2);
    expect(events[1]).toMatchObject({ kind: "closed", export: null, error: null });
  });

  test("a connection that breaks is told with a code of ours, and what the system said as its cause", async () => {
    const client = await listenAndEnter();
    client.socket.pause();
    for (let cookie = 0; cookie < 9; cookie++) {
      client.send(request({ command: Command.read, cookie, length: 1_048_576 }));
    }
    await until(() => layer.log.length > 0);
    client.socket.destroy();
    await until(() => events.length === 3);
    const { error } = events[2] as Extract<NbdEvent, { kind: "closed" }>;
    expect(error).toMatchObject({ code: "CEV_DEVICE_LOST", place: { source: "unix" } });
    expect((error!.cause as NodeJS.ErrnoException).code).toMatch(/^(EPIPE|ECONNRESET)$/);
  });
});

describe("closing", () => {
  test("lets what was received finish, flushes, and takes no more", async () => {
    const client = await listenAndEnter();
    layer.completion = "later";
    client.send(request({ command: Command.write, offset: 4096, payload: pattern(65_536, 5) }));
    client.send(request({ command: Command.read, cookie: 2, offset: 0, length: 4096 }));
    await until(() => layer.log.length === 2);
    const report = await server.close();
    expect(report).toEqual({ unflushed: [], abandonedCount: 0 });
    expect(parseReplies(await client.take(16 + 28 + 4096)).map(({ error }) => error)).toEqual([0, 0]);
    await client.closed;
    expect(layer.log.at(-1)!.op).toBe(2);
    await expect(server.listen({ path })).rejects.toMatchObject({ code: "CEV_CLOSED" });
    expect(environment.buffers.bytesLent).toBe(0);
  });

  test("tells which export could not be flushed", async () => {
    await listenAndEnter();
    faults.add({ fault: { kind: "error", code: "CEV_MEDIUM" }, op: 2 });
    expect(await server.close()).toMatchObject({
      unflushed: [{ export: "disk", error: { code: "CEV_MEDIUM" } }],
    });
  });

  test("forced while it waits, ends at once and tells what was not flushed", async () => {
    const client = await listenAndEnter();
    faults.add({ fault: { kind: "hang" } });
    client.send(request({ command: Command.write, offset: 4096, payload: pattern(4096) }));
    await until(() => faults.hangingCount === 1);
    const closing = server.close();
    expect(await server.close({ isForced: true })).toEqual({
      unflushed: [{ export: "disk", error: null }],
      abandonedCount: 1,
    });
    expect((await closing).abandonedCount).toBe(1);
    await client.closed;
  });

  test("does not wait for ever for a client that does not take its answers", async () => {
    const impatient = makeServer({ drainTimeoutMs: 50 });
    await impatient.listen({ path });
    const client = await new Client({ path }).enter();
    client.socket.pause();
    for (let cookie = 0; cookie < 100; cookie++)
      client.send(request({ command: Command.read, cookie, length: 65_536 }));
    await until(() => layer.log.length > 0);
    expect(await impatient.close()).toEqual({ unflushed: [], abandonedCount: 0 });
  });
});

describe("wrong settings are refused", () => {
  test.for([
    { exports: ["a", "a"], options: {}, code: "CEV_AMBIGUOUS" },
    { exports: ["a"], options: { defaultExport: "b" }, code: "CEV_NOT_FOUND" },
    { exports: ["a"], options: { requestsMax: 0 }, code: "CEV_INVALID" },
    { exports: ["a"], options: { payloadLengthMax: 512 }, code: "CEV_INVALID" },
    { exports: ["x".repeat(4097)], options: {}, code: "CEV_INVALID" },
    { exports: ["a\0b"], options: {}, code: "CEV_INVALID" },
  ])("$code for $options", ({ exports, options, code }) => {
    const named = exports.map((name) => ({ name, device }));
    expect(() => makeServer({ exports: named, ...options })).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });
});
