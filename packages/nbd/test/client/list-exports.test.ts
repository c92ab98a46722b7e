import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { expect, onTestFinished, test } from "vitest";
import { NbdServer, listExports } from "../../src/index.ts";
import type { NbdServerOptions } from "../../src/index.ts";
import { encodeGreeting } from "../../src/protocol/greeting.ts";
import { OptionReply, OptionType } from "../../src/protocol/numbers.ts";
import { encodeOptionReply } from "../../src/protocol/option.ts";

const environment = environmentFrom(globalThis);

async function newSocketPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cev-list-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "socket");
}

async function serve(
  exports: readonly { readonly name: string; readonly description?: string }[],
  options: Partial<NbdServerOptions> = {},
): Promise<string> {
  const path = await newSocketPath();
  const device = await Device.open(new MemoryLayer(environment, { size: 65_536 }), environment);
  const shown = exports.map((one) => ({ ...one, device }));
  const server = new NbdServer({ environment, exports: shown, ...options });
  await server.listen({ path });
  onTestFinished(async () => {
    await server.close({ isForced: true });
    await device.close();
  });
  return `nbd+unix:///?socket=${path}`;
}

/** Answers whatever it is asked for with these replies to the question for a list. */
async function answering(...replies: readonly Uint8Array[]): Promise<string> {
  const path = await newSocketPath();
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.write(encodeGreeting());
    let received = 0;
    socket.on("data", (bytes) => {
      received += bytes.length;
      // The client's flags, and an option without data.
      if (received === 20) for (const reply of replies) socket.write(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `nbd+unix:///?socket=${path}`;
}

function serverReply(name: Uint8Array, description: Uint8Array): Uint8Array {
  const data = new Uint8Array(4 + name.length + description.length);
  new DataView(data.buffer).setUint32(0, name.length);
  data.set(name, 4);
  data.set(description, 4 + name.length);
  return encodeOptionReply(OptionType.list, OptionReply.server, data);
}

const ack = encodeOptionReply(OptionType.list, OptionReply.ack);

test("what a server has comes in its order, with what it says of it", async () => {
  const uri = await serve([{ name: "b", description: "the\nsecond" }, { name: "a/ö" }, { name: "" }]);
  expect(await listExports(environment, { uri })).toEqual([
    { name: "b", description: "the\\u{a}second" },
    { name: "a/ö", description: null },
    { name: "", description: null },
  ]);
});

test("a server may have nothing", async () => {
  expect(await listExports(environment, { uri: await answering(ack) })).toEqual([]);
});

test("whatever the URI names, everything is told", async () => {
  const uri = (await serve([{ name: "disk" }])).replace("///?", "///other?");
  expect(await listExports(environment, { uri })).toEqual([{ name: "disk", description: null }]);
});

test("a name that is no UTF-8 cannot be asked for", async () => {
  const uri = await answering(serverReply(Uint8Array.of(0xff, 0x41), new Uint8Array(0)), ack);
  expect(await listExports(environment, { uri })).toEqual([{ name: null, description: null }]);
});

test.for([
  ["does not tell", OptionReply.errorPolicy, "CEV_ACCESS", /does not tell what it has/],
  ["knows no lists", OptionReply.errorUnsupported, "CEV_ACCESS", /does not tell what it has/],
  ["wants TLS", OptionReply.errorTlsRequired, "CEV_ACCESS", /wants TLS/],
  ["shuts down", OptionReply.errorShutdown, "CEV_DEVICE_LOST", /shutting down/],
  ["answers something else", OptionReply.info, "CEV_PROTOCOL", /list cannot be read/],
] as const)("a server that %s is told in words", async ([, reply, code, message]) => {
  const uri = await answering(encodeOptionReply(OptionType.list, reply));
  const place = { source: expect.stringContaining("nbd+unix") as unknown };
  await expect(listExports(environment, { uri })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as unknown,
    place,
  });
});

test("a list without an end takes no memory without an end", async () => {
  const many = Array.from({ length: 4200 }, () => serverReply(new Uint8Array(4096), new Uint8Array(0)));
  const uri = await answering(...many);
  await expect(listExports(environment, { uri })).rejects.toMatchObject({ code: "CEV_PROTOCOL" });
});

test("a server that says nothing is not waited for", async () => {
  const uri = await answering();
  await expect(listExports(environment, { uri, connectTimeoutMs: 50 })).rejects.toMatchObject({
    code: "CEV_TIMED_OUT",
  });
});
