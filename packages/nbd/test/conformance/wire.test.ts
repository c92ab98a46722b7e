import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Environment, environmentFrom } from "@cev/core";
import type { Clock } from "@cev/core";
import { expect, onTestFinished, test } from "vitest";
import { Session } from "../../src/conformance/session.ts";
import { Violation } from "../../src/conformance/violation.ts";
import { Wire } from "../../src/conformance/wire.ts";
import { HandClock } from "../support/hand-clock.ts";

const real = environmentFrom(globalThis);
const facts = { size: 4096n, flags: 1, blockSizes: null, name: null, description: null };

/** A connection to a server that does this to whoever comes. */
async function connectTo(
  serve: (socket: Socket) => void,
  timeoutMs: number,
  clock: Clock = real.clock,
): Promise<Wire> {
  const environment = new Environment({ clock, later: real.later, random: real.random });
  const directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  const path = join(directory, "s");
  await new Promise<void>((resolve) => server.listen({ path }, resolve));
  const wire = await Wire.open({ address: { path }, exportName: "", tls: null }, { environment, timeoutMs });
  onTestFinished(() => {
    wire.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return wire;
}

/** A chunk of a structured reply that is not the last. */
function chunk(cookie: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(20 + length);
  bytes.writeUInt32BE(0x668e_33ef, 0);
  bytes.writeUInt16BE(1, 6);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeUInt32BE(length, 16);
  return bytes;
}

test("a reply whose chunks never end is ended by their bytes", async () => {
  const wire = await connectTo((socket) => {
    const bytes = chunk(7n, 4_194_304);
    const pour = (): void => void socket.write(bytes, (error) => (error ? undefined : pour()));
    socket.once("data", pour);
  }, 60_000);
  const session = new Session(wire, { style: "structured", facts });
  const asked = session.ask({ command: 0, cookie: 7n, offset: 0, length: 512 });
  await expect(asked).rejects.toThrow(Violation);
});

test("a reply that drips is ended by its time", async () => {
  const clock = new HandClock();
  const serve = (socket: Socket): void => {
    const drip = (): void => {
      clock.advance(20);
      socket.write(chunk(7n, 8));
      if (!socket.destroyed) real.clock.after(2, drip);
    };
    socket.once("data", drip);
  };
  const wire = await connectTo(serve, 150, clock);
  const session = new Session(wire, { style: "structured", facts });
  const asked = session.ask({ command: 0, cookie: 7n, offset: 0, length: 512 });
  await expect(asked).rejects.toThrow("no answer within 1800 ms");
});

test("a server that floods a client which asks for little is not read from", async () => {
  let sent = 0;
  const wire = await connectTo((socket) => {
    const bytes = Buffer.alloc(65_536);
    const pour = (): void => {
      sent += bytes.length;
      if (sent < 64_000_000) socket.write(bytes, (error) => (error ? undefined : pour()));
    };
    pour();
  }, 5000);
  await wire.take(16, "something");
  await new Promise<void>((resolve) => real.clock.after(150, resolve));
  expect(wire.unreadCount).toBeGreaterThan(0);
  expect(wire.unreadCount).toBeLessThan(2_097_152);
  expect(sent).toBeLessThan(16_000_000);
});

test("what was held back is read when it is asked for", async () => {
  const all = Buffer.alloc(8_000_000, "held back");
  const wire = await connectTo((socket) => void socket.end(all), 5000);
  await wire.take(16, "something");
  await new Promise<void>((resolve) => real.clock.after(50, resolve));
  const rest = await wire.take(all.length - 16, "the rest");
  expect(rest.equals(all.subarray(16))).toBe(true);
});
