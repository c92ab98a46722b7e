import { Buffer } from "node:buffer";
import { Device, LayerBase, Op } from "@cev/core";
import type { BurstUser, Environment, Io, Layer, LayerDescription } from "@cev/core";
import { MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import { beforeEach, expect, test } from "vitest";
import { Export } from "../src/server/exports/export.ts";
import { Command } from "../src/protocol/numbers.ts";
import { FakeClient } from "./support/fake-client.ts";
import { request } from "./support/messages.ts";
import { STACK_SIZE, pattern } from "./support/stack.ts";

/** Keeps the writes of a burst until it ends, as a layer does to which several are cheaper than one by one. */
class KeepingLayer extends LayerBase implements BurstUser {
  readonly name = "keeping";
  readonly limits;
  readonly support;
  readonly kept: Io[] = [];
  readonly #lower: Layer;
  readonly #environment: Environment;

  constructor(lower: Layer, environment: Environment) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#environment = environment;
  }

  submit(io: Io): void {
    if (io.op !== Op.write || !this.#environment.burst.isOn) return this.#lower.submit(io);
    if (this.kept.length === 0) this.#environment.burst.atEnd(this);
    this.kept.push(io);
  }

  burstEnded(): void {
    for (const io of this.kept.splice(0)) this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }
}

let world: SimulatedWorld;
let environment: Environment;
let memory: MemoryLayer;
let client: FakeClient;
beforeEach(async () => {
  world = new SimulatedWorld({ seed: 3 });
  environment = world.environment;
  // A request that ends although it was asked to stop leaves the most behind.
  memory = new MemoryLayer(environment, { size: STACK_SIZE, cancel: "ignored" });
  const device = await world.drive(Device.open(new KeepingLayer(memory, environment), environment));
  client = new FakeClient(environment, [new Export({ name: "disk", device })], {
    smallLength: 524_288,
  }).enter("disk");
});

function burstOfWrites(count: number, seed: number): Buffer {
  const messages = Array.from({ length: count }, (_, cookie) =>
    request({ command: Command.write, cookie, offset: cookie * 8192, payload: pattern(4096, seed + cookie) }),
  );
  return Buffer.concat(messages);
}

function expectWritten(count: number, seed: number): void {
  for (let index = 0; index < count; index++) {
    const found = memory.bytes.subarray(index * 8192, index * 8192 + 4096);
    expect(Buffer.compare(found, pattern(4096, seed + index))).toBe(0);
  }
}

function expectAnswered(count: number): void {
  const replies = client.replies(() => 0);
  expect(replies.map(({ cookie, error }) => [cookie, error])).toEqual(
    Array.from({ length: count }, (_, cookie) => [cookie, 0]),
  );
}

async function endAll(): Promise<void> {
  client.transport.destroy();
  memory.completeAll();
  await world.run();
  expect(client.settledCount).toBe(1);
  for (const pool of client.pools) pool.close();
  expect(environment.buffers.bytesLent).toBe(0);
}

test("writes that a layer keeps for the end of a received chunk are answered with it, all in one write", async () => {
  // The second time the device is known to answer at once, and nothing is copied.
  for (const seed of [1, 2, 3]) {
    const before = client.transport.writeCount;
    client.send(burstOfWrites(7, seed));
    expect(client.transport.writeCount).toBe(before + 1);
    expectAnswered(7);
    expectWritten(7, seed);
  }
  await endAll();
});

test("such writes are soon taken from where they were received, without memory of their own", async () => {
  for (const seed of [1, 2]) client.send(burstOfWrites(7, seed));
  const { buffers } = environment;
  const lent = buffers.bytesLent;
  let lentMax = 0;
  const tryAcquire = buffers.tryAcquire.bind(buffers);
  buffers.tryAcquire = (length) => {
    const buffer = tryAcquire(length);
    lentMax = Math.max(lentMax, buffers.bytesLent);
    return buffer;
  };
  client.send(burstOfWrites(7, 3));
  expect(lentMax).toBe(0);
  expect(buffers.bytesLent).toBe(lent);
  expectWritten(7, 3);
  await endAll();
});

test("of many writes the first 32 KiB are done and answered before the rest is looked at", async () => {
  client.send(burstOfWrites(2, 1));
  client.replies(() => 0);
  const before = client.transport.writeCount;
  client.send(burstOfWrites(30, 2));
  expect(client.transport.writeCount).toBe(before + 2);
  expectAnswered(30);
  expectWritten(30, 2);
  await endAll();
});

test("a device that ends them later has their data all the same, whatever is received meanwhile", async () => {
  client.send(burstOfWrites(20, 1));
  client.replies(() => 0);
  memory.completion = "byHand";
  for (const seed of [2, 3]) client.send(burstOfWrites(20, seed));
  expect(memory.pending).toHaveLength(40);
  expect(client.replies(() => 0)).toHaveLength(0);
  memory.completeAll();
  await world.run();
  expect(client.replies(() => 0)).toHaveLength(40);
  expectWritten(20, 3);
  await endAll();
});

test.each(["atOnce", "byHand"] as const)(
  "a client that breaks the protocol behind its writes loses the connection, and no memory stays lent (%s)",
  async (completion) => {
    client.send(burstOfWrites(20, 1));
    memory.completion = completion;
    client.send(Buffer.concat([burstOfWrites(20, 2), Buffer.alloc(64, 0xff)]));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
    memory.completeAll();
    await world.run();
    expectWritten(20, 2);
    await endAll();
  },
);
