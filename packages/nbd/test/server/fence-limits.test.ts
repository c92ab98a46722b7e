import { Buffer } from "node:buffer";
import type { CompletionMode } from "@cev/test-kit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryBudget } from "../../src/memory/memory-budget.ts";
import { Command } from "../../src/protocol/numbers.ts";
import type { FakeClient } from "../support/fake-client.ts";
import { request } from "../support/messages.ts";
import type { RequestParts } from "../support/messages.ts";
import { makeStack } from "../support/stack.ts";

const SIZE = 262_144;

/** Any change or read, of a few overlapping places. */
const part = fc
  .record({
    command: fc.constantFrom(
      Command.write,
      Command.write,
      Command.writeZeroes,
      Command.trim,
      Command.read,
      Command.flush,
      Command.cache,
    ),
    place: fc.nat(5),
    // The longest do not fit into the receive buffer.
    blocks: fc.constantFrom(1, 2, 4, 8, 12),
  })
  .map(({ command, place, blocks }): RequestParts => {
    if (command === Command.flush) return { command };
    const range = { offset: 4096 * place, length: 4096 * blocks };
    if (command !== Command.write) return { command, ...range };
    return { command, offset: range.offset, payload: new Uint8Array(range.length).fill(place) };
  });

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("burst" as const),
      parts: fc.array(part, { minLength: 1, maxLength: 6 }),
      cut: fc.nat(99),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("complete" as const), at: fc.nat(99) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "vanish" as const,
        "halfClose" as const,
        "drain" as const,
        "deaf" as const,
        "hearing" as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("disk" as const),
      mode: fc.constantFrom<CompletionMode>("byHand", "atOnce", "later"),
    }),
  },
);

const steps = fc.array(fc.tuple(fc.nat(2), step), { minLength: 10, maxLength: 50 });
const limits = fc.record({
  requestsMax: fc.constantFrom(1, 2, 4, 256),
  bytesMax: fc.constantFrom(1, 8192, 65_536, 1_000_000),
  unsentMax: fc.constantFrom(1, 4096, 262_144),
  memoryMax: fc.constantFrom(4096, 20_000, 1_000_000),
});

test("within any limits, with bursts, cuts and goodbyes, every request of who stays is answered, and nothing is left", async () => {
  await fc.assert(
    fc.asyncProperty(steps, limits, fc.boolean(), async (all, { memoryMax, ...rest }, cancels) => {
      const its = await makeStack({
        cancel: cancels ? "honoured" : "ignored",
        completion: "byHand",
        size: SIZE,
      });
      const budget = new MemoryBudget(memoryMax);
      const clients: { client: FakeClient; sent: number; isStaying: boolean; half: Buffer }[] = [];
      const connect = (): number =>
        clients.push({
          client: its.connect({ ...rest, budget, receiveLength: 32_768, smallLength: 16_384 }).enter("disk"),
          sent: 0,

          isStaying: true,
          half: Buffer.alloc(0),
        }) - 1;
      const current = [0, 0, 0].map(connect);
      for (const [place, one] of all) {
        const it = clients[current[place]!]!;
        const { transport, connection } = it.client;
        if (one.kind === "burst") {
          const bytes = Buffer.concat([it.half, ...one.parts.map((parts) => request(parts))]);
          const cut = Math.floor((bytes.length * (100 - one.cut)) / 100);
          it.client.send(bytes.subarray(0, cut));
          it.half = bytes.subarray(cut);
          it.sent += one.parts.length;
        } else if (one.kind === "complete") {
          const { pending } = its.layer;
          if (pending.length > 0) its.layer.completeNext(one.at % pending.length);
          if (one.at % 3 > 0) await its.world.run();
        } else if (one.kind === "disk") {
          its.layer.completion = one.mode;
        } else if (one.kind === "deaf") {
          transport.isReader = false;
        } else if (one.kind === "hearing") {
          transport.read();
        } else {
          if (one.kind === "vanish") transport.destroy();
          else if (one.kind === "drain") connection.drain();
          else connection.ended();
          it.isStaying = false;
          current[place] = connect();
        }
      }
      its.layer.completion = "byHand";
      for (const it of clients) {
        if (it.isStaying) it.client.send(it.half);
      }
      for (let rounds = 0, idleCount = 0; idleCount < 3 && rounds < 2000; rounds++) {
        // What is answered in several steps takes its promises along.
        await new Promise((resolve) => setImmediate(resolve));
        await its.world.run();
        idleCount = its.layer.pending.length > 0 ? 0 : idleCount + 1;
        its.layer.completeAll();
        for (const { client } of clients) if (!client.transport.isDestroyed) client.transport.read();
      }
      for (const it of clients) {
        if (it.isStaying) expect(it.client.replies().filter(({ isDone }) => isDone)).toHaveLength(it.sent);
        expect(it.client.connection.inFlightCount).toBe(0);
        it.client.transport.destroy();
        await its.world.run();
        expect(it.client.settledCount).toBe(1);
        for (const pool of it.client.pools) pool.close();
      }
      expect(its.exports[0]!.fence.count).toBe(0);
      expect(budget.bytesTaken).toBe(0);
      expect(its.world.environment.buffers.bytesLent).toBe(0);
    }),
    { numRuns: 20 },
  );
});
