import { Io, IoFlag, Op, closeTree, openTree } from "@cev/core";
import { PowerCutLayer, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import type { NbdOptions } from "../../src/client/client-options.ts";
import { NbdLayer } from "../../src/client/nbd-layer.ts";
import { HeaderStyle } from "../../src/protocol/numbers.ts";
import { ModelServer } from "../support/model-server.ts";
import type { Moment } from "../support/model-server.ts";

const BLOCK = 512;
const BLOCKS = 48;
const SIZE = BLOCK * BLOCKS;

/** What breaks: the line alone, or the server and with it all that was not flushed. */
type Breakage = "line" | "server";

interface Run {
  readonly seed: number;
  readonly connections?: number;
  readonly style?: HeaderStyle;
  readonly resume?: NbdOptions["resume"];
  /** Of each worker. Default 12. */
  readonly rounds?: number;
  /** Called at each moment; what it returns happens there. */
  readonly breaks: (index: number, moment: Moment) => Breakage | null;
}

/** The contents that each block has had, oldest first, and which of them at least has to survive. */
class History {
  readonly #values: number[][] = Array.from({ length: BLOCKS }, () => [0]);
  readonly #floors: number[] = Array.from({ length: BLOCKS }, () => 0);
  readonly #acknowledged: number[] = Array.from({ length: BLOCKS }, () => 0);

  issue(block: number, value: number): void {
    this.#values[block]!.push(value);
  }

  acknowledge(block: number): void {
    this.#acknowledged[block] = this.#values[block]!.length - 1;
  }

  /** The newest that was answered, of each block. */
  snapshot(): readonly number[] {
    return [...this.#acknowledged];
  }

  /** So much has to survive. */
  secure(block: number, index: number): void {
    this.#floors[block] = Math.max(this.#floors[block]!, index);
  }

  indexOf(block: number): number {
    return this.#acknowledged[block]!;
  }

  /** A read without anything under way there sees the newest; whoever went without the copies may see what was flushed, or later. */
  expectRead(block: number, value: number, isExact: boolean): void {
    const values = this.#values[block]!;
    const from = isExact ? this.#acknowledged[block]! : this.#floors[block]!;
    expect(values.slice(from), `block ${block}`).toContain(value);
  }

  expectSurvivor(block: number, value: number): void {
    expect(this.#values[block]!.slice(this.#floors[block]), `block ${block} after all`).toContain(value);
  }
}

interface Outcome {
  readonly momentCount: number;
  readonly breakCount: number;
  readonly requestCount: number;
}

/** Random work over a server that breaks: whatever was answered is read, and whatever was flushed survives the end. */
async function work(run: Run): Promise<Outcome> {
  const world = new SimulatedWorld({ seed: run.seed });
  const { environment, random } = world;
  const disk = new PowerCutLayer(environment, { size: SIZE });
  let momentCount = 0;
  let breakCount = 0;
  let isArmed = false;
  const server: ModelServer = new ModelServer({
    environment,
    random,
    layer: disk,
    ...(run.style === undefined ? {} : { style: run.style }),
    onMoment(moment) {
      if (!isArmed) return;
      const breakage = run.breaks(momentCount++, moment);
      if (breakage === null) return;
      breakCount++;
      server.cut();
      if (breakage === "server") disk.cut(random);
      if (random.chance(0.3)) {
        server.isListening = false;
        environment.clock.after(random.between(1, 2000), () => (server.isListening = true));
      }
    },
  });
  const resume = run.resume ?? "unflushed";
  // Breakages come so often here that all of a minute may go by without a whole handshake.
  const options = {
    uri: "nbd://model/",
    connections: run.connections ?? 1,
    resume,
    requestsMax: 8,
    reconnectTimeoutMs: 2 ** 31 - 1,
  };
  const layer = await world.drive(NbdLayer.at(environment, options, { dialler: server.dialler }));
  await world.drive(openTree(layer));
  isArmed = true;
  const history = new History();
  const busy = new Set<number>();
  let stamp = 0;

  const submit = (op: Op, block: number, count: number, data: Uint8Array | null, flags = 0): Promise<Io> => {
    const io = new Io(environment.runQueue).prepare(op, block * BLOCK, count * BLOCK, data, 0, flags);
    const done = new Promise<Io>((resolve) => void io.wait(() => resolve(io), null));
    layer.submit(io);
    return done;
  };

  const change = async (block: number, count: number): Promise<void> => {
    const blocks = Array.from({ length: count }, (_, index) => block + index);
    const isZeroes = random.chance(0.2);
    const isFua = random.chance(0.15);
    const data = new Uint8Array(count * BLOCK);
    const values = blocks.map(() => (isZeroes ? 0 : ++stamp));
    for (const [index, value] of values.entries()) {
      new Uint32Array(data.buffer).fill(value, (index * BLOCK) / 4, ((index + 1) * BLOCK) / 4);
      history.issue(blocks[index]!, value);
    }
    const flags = isFua ? IoFlag.fua : 0;
    const io = await (isZeroes
      ? submit(Op.writeZeroes, block, count, null, flags)
      : submit(Op.write, block, count, data, flags));
    expect(io.error).toBeNull();
    for (const each of blocks) {
      history.acknowledge(each);
      if (isFua) history.secure(each, history.indexOf(each));
    }
    // It is the caller's again.
    data.fill(0xee);
  };

  const look = async (block: number, count: number): Promise<void> => {
    const data = new Uint8Array(count * BLOCK).fill(0xaa);
    const io = await submit(Op.read, block, count, data);
    expect(io.error).toBeNull();
    for (let index = 0; index < count; index++)
      history.expectRead(block + index, stampOf(data, index), resume === "unflushed");
  };

  const flush = async (): Promise<void> => {
    const before = history.snapshot();
    const io = await submit(Op.flush, 0, 0, null);
    expect(io.error).toBeNull();
    for (const [block, index] of before.entries()) history.secure(block, index);
  };

  const worker = async (): Promise<void> => {
    for (let count = 0; count < (run.rounds ?? 12); count++) {
      if (random.chance(0.2)) {
        await flush();
        continue;
      }
      const block = random.below(BLOCKS);
      const length = random.between(1, Math.min(6, BLOCKS - block));
      const blocks = Array.from({ length }, (_, index) => block + index);
      // Two requests for one block at a time have no order that could be checked.
      if (blocks.some((each) => busy.has(each))) {
        await new Promise<void>((resolve) => environment.later(resolve));
        continue;
      }
      for (const each of blocks) busy.add(each);
      await (random.chance(0.6) ? change(block, length) : look(block, length));
      for (const each of blocks) busy.delete(each);
    }
  };

  await world.drive(Promise.all(Array.from({ length: 4 }, worker)));
  await world.drive(look(0, BLOCKS));
  // A close while the server is away says so.
  await world.drive(closeTree(layer).catch(() => undefined));
  disk.cut(random);
  const image = disk.contents;
  for (let block = 0; block < BLOCKS; block++) history.expectSurvivor(block, stampOf(image, block));
  await world.run();
  expect(environment.buffers.bytesLent).toBe(0);
  expect(server.openCount).toBe(0);
  return { momentCount, breakCount, requestCount: server.requestCount };
}

function stampOf(data: Uint8Array, index: number): number {
  const block = data.slice(index * BLOCK, (index + 1) * BLOCK);
  const stamps = new Set(new Uint32Array(block.buffer));
  expect(stamps.size, "a block is of one write").toBe(1);
  return [...stamps][0]!;
}

describe("a server that forgets what was not flushed", () => {
  const configurations = [
    { name: "one connection", connections: 1, style: HeaderStyle.structured },
    { name: "one connection with simple replies", connections: 1, style: HeaderStyle.simple },
    { name: "four connections with extended headers", connections: 4, style: HeaderStyle.extended },
  ];

  for (const { name, ...configuration } of configurations) {
    test(`over ${name}: whatever breaks, and when, what was answered is read, and what was flushed survives`, async () => {
      let breakCount = 0;
      for (let seed = 1; seed <= 25; seed++) {
        const world = new SimulatedWorld({ seed: seed + 1000 });
        const rate = seed % 3 === 0 ? 0.05 : 0.01;
        const outcome = await work({
          seed,
          ...configuration,
          breaks: () => (world.random.chance(rate) ? (world.random.chance(0.6) ? "server" : "line") : null),
        }).catch((error: unknown) => {
          throw new Error(`seed ${seed}`, { cause: error });
        });
        breakCount += outcome.breakCount;
      }
      expect(breakCount).toBeGreaterThan(40);
    });
  }

  test("one breakage at every moment of a run loses nothing", async () => {
    const { momentCount } = await work({ seed: 7, rounds: 5, breaks: () => null });
    expect(momentCount).toBeGreaterThan(60);
    for (let at = 0; at < momentCount; at++) {
      await work({
        seed: 7,
        rounds: 5,
        connections: at % 2 === 0 ? 1 : 4,
        breaks: (index) => (index === at ? (at % 3 === 0 ? "line" : "server") : null),
      }).catch((error: unknown) => {
        throw new Error(`broken at moment ${at}`, { cause: error });
      });
    }
  });

  test("without copies, only what was flushed survives, and lines that break lose nothing", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new SimulatedWorld({ seed: seed + 2000 });
      await work({ seed, resume: "underWay", breaks: () => (world.random.chance(0.02) ? "line" : null) });
    }
  });

  test("the test sees what is lost without copies", async () => {
    let failureCount = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const world = new SimulatedWorld({ seed: seed + 3000 });
      await work({
        seed,
        resume: "underWay",
        breaks: () => (world.random.chance(0.02) ? "server" : null),
      }).catch(() => failureCount++);
    }
    expect(failureCount).toBeGreaterThan(0);
  });
});
