import { CevError } from "@cev/core";
import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryBudget } from "../../src/memory/memory-budget.ts";
import { ChunkType, Command, CommandFlag, NbdErrno } from "../../src/protocol/numbers.ts";
import type { ContextProvider, MetaContext, StatusQuery } from "../../src/server/contexts/context.ts";
import type { FakeClient } from "../support/fake-client.ts";
import type { Reply } from "../support/messages.ts";
import { BLOCK, disk, disks } from "../support/disks.ts";
import { STACK_SIZE, endAll, makeStack } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

const { blockStatus } = Command;
const forms = [true, "extended"] as const;

/** A context of the test's own, in the namespace "x-test". */
function provider(status: MetaContext["status"]): ContextProvider {
  return {
    namespace: "x-test",
    list: () => ["x-test:it"],
    find: (_target, leaf) => (leaf === "it" ? { name: "x-test:it", status } : null),
  };
}

let stack: Stack;
let client: FakeClient;
beforeEach(async () => {
  stack = await makeStack();
});

function connect(
  form: boolean | "extended",
  contexts: readonly string[],
  providers?: readonly ContextProvider[],
): void {
  client = stack.connect(providers === undefined ? {} : { contexts: providers });
  client.contexts = contexts;
  client.enter("disk", form);
}

async function replies(): Promise<Reply[]> {
  await stack.world.run();
  return client.replies();
}

describe.for(forms)("block status (%s)", (form) => {
  test("has a chunk for each selected context, the last of which ends the reply", async () => {
    connect(form, ["x-cev:holder", "base:allocation"]);
    client.request({ command: blockStatus, cookie: 4, offset: 4096, length: 8192 });
    const chunks = await replies();
    expect(chunks.map(({ status, isDone, cookie }) => [status!.contextId, isDone, cookie])).toEqual([
      [1, false, 4],
      [2, true, 4],
    ]);
    const type = form === "extended" ? ChunkType.blockStatusExtended : ChunkType.blockStatus;
    for (const chunk of chunks) {
      expect(chunk.type).toBe(type);
      expect(chunk.status!.extents.reduce((sum, { length }) => sum + length, 0)).toBe(8192);
    }
  });

  test("tells of zeroes only where there are zeroes, and leaves no gap", async () => {
    const places = fc.record({ start: fc.nat({ max: 2047 }), blocks: fc.integer({ min: 1, max: 2048 }) });
    await fc.assert(
      fc.asyncProperty(disks, places, fc.boolean(), async (contents, { start, blocks }, isOne) => {
        stack = await makeStack({ contents });
        connect(form, ["base:allocation"]);
        const offset = start * BLOCK;
        const length = Math.min(blocks * BLOCK, STACK_SIZE - offset);
        client.request({ command: blockStatus, offset, length, flags: isOne ? CommandFlag.reqOne : 0 });
        const [chunk] = await replies();
        const { extents } = chunk!.status!;
        let at = offset;
        for (const [index, extent] of extents.entries()) {
          const isZero = contents.subarray(at, at + extent.length).every((byte) => byte === 0);
          if ((extent.status & 2) !== 0) expect(isZero).toBe(true);
          expect(extent.length % BLOCK).toBe(0);
          if (index > 0) expect(extent.status).not.toBe(extents[index - 1]!.status);
          at += extent.length;
        }
        expect(at).toBeLessThanOrEqual(offset + length);
        if (isOne) expect(extents).toHaveLength(1);
        else expect(at).toBe(offset + length);
        await endAll(stack, client);
      }),
      { numRuns: 15 },
    );
  });

  test("is refused past the end, of nothing, with other flags, and without a context", async () => {
    connect(form, ["base:allocation"]);
    client
      .request({ command: blockStatus, cookie: 1, offset: STACK_SIZE - 512, length: 1024 })
      .request({ command: blockStatus, cookie: 2, offset: 0, length: 0 })
      .request({ command: blockStatus, cookie: 3, length: 512, flags: CommandFlag.df })
      .request({ command: blockStatus, cookie: 4, length: 512, flags: CommandFlag.fua });
    const errors = (await replies()).map(({ cookie, error }) => [cookie, error]);
    const { EINVAL } = NbdErrno;
    expect(errors).toEqual([
      [1, EINVAL],
      [2, EINVAL],
      [3, EINVAL],
      [4, 0],
    ]);
    connect(form, []);
    client.request({ command: blockStatus, length: 512 });
    expect((await replies()).map(({ error }) => error)).toEqual([EINVAL]);
  });
});

test("contexts of another export do not count", async () => {
  connect(true, []);
  const other = stack.connect();
  other.contexts = ["base:allocation"];
  other.enter("frozen");
  other.request({ command: blockStatus, length: 512 });
  await stack.world.run();
  expect(other.replies()[0]!.error).toBe(0);
});

describe("a context of somebody else's", () => {
  test("that tells more than was asked for is cut", async () => {
    const status = async ({ length }: StatusQuery) => [
      { length: 1024, status: 5 },
      { length: length * 2, status: 6 },
      { length: 512, status: 7 },
    ];
    connect(true, ["x-test:it"], [provider(status)]);
    client.request({ command: blockStatus, length: 4096 });
    client.request({ command: blockStatus, length: 512, flags: CommandFlag.reqOne });
    const [many, one] = await replies();
    expect(many!.status!.extents).toEqual([
      { length: 1024, status: 5 },
      { length: 3072, status: 6 },
    ]);
    expect(one!.status!.extents).toEqual([{ length: 512, status: 5 }]);
  });

  test.for([
    ["rejects", () => Promise.reject(new CevError("CEV_NO_MEMORY", "too much")), NbdErrno.ENOMEM],
    [
      "throws",
      () => {
        throw new TypeError("a bug");
      },
      NbdErrno.EIO,
    ],
    ["tells nothing", () => Promise.resolve([]), NbdErrno.EIO],
    ["tells of nothing", () => Promise.resolve([{ length: 0, status: 1 }]), NbdErrno.EIO],
  ] as const)("that %s fails the request, and no other", async ([, status, errno]) => {
    connect(true, ["base:allocation", "x-test:it"], [provider(status)]);
    client
      .request({ command: blockStatus, cookie: 1, length: 512 })
      .request({ command: Command.flush, cookie: 2 });
    const all = (await replies()).toSorted((a, b) => a.cookie - b.cookie);
    expect(all.map(({ cookie, error, isDone }) => [cookie, error, isDone])).toEqual([
      [1, errno, true],
      [2, 0, true],
    ]);
  });

  test("that is slow is asked a few times at once, and nobody else waits for it", async () => {
    const waiting: (() => void)[] = [];
    const status = ({ length }: StatusQuery) =>
      new Promise<readonly { length: number; status: number }[]>((resolve) => {
        waiting.push(() => resolve([{ length, status: 1 }]));
      });
    connect(true, ["x-test:it"], [provider(status)]);
    for (let cookie = 1; cookie <= 9; cookie++) client.request({ command: blockStatus, cookie, length: 512 });
    client.request({ command: Command.read, cookie: 10, length: 512 });
    expect((await replies()).map(({ cookie }) => cookie)).toEqual([10]);
    const counts: number[] = [];
    while (waiting.length > 0) {
      counts.push(waiting.length);
      for (const go of waiting.splice(0)) go();
      await stack.world.run();
    }
    expect(counts).toEqual([4, 4, 1]);
    expect(client.replies().map(({ cookie }) => cookie)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("that never answers keeps nothing but itself when the connection ends", async () => {
    const waiting: (() => void)[] = [];
    const status = ({ length }: StatusQuery) =>
      new Promise<readonly { length: number; status: number }[]>((resolve) => {
        waiting.push(() => resolve([{ length, status: 1 }]));
      });
    connect(true, ["x-test:it"], [provider(status)]);
    for (let cookie = 1; cookie <= 6; cookie++) client.request({ command: blockStatus, cookie, length: 512 });
    await stack.world.run();
    client.transport.destroy();
    await stack.world.run();
    expect([client.settledCount, client.connection.inFlightCount]).toEqual([0, 4]);
    for (const go of waiting) go();
    await endAll(stack, client);
  });
});

test("long answers leave in pieces, whole", async () => {
  // Every other block is a hole.
  const contents = disk(Array.from({ length: 2048 }, (_, index) => ({ isData: index % 2 === 0, blocks: 1 })));
  stack = await makeStack({ contents });
  connect("extended", ["base:allocation", "x-cev:holder"]);
  let at = 0;
  for (let count = 0; at < STACK_SIZE && count < 100; count++) {
    client.request({ command: blockStatus, offset: at, length: STACK_SIZE - at });
    const [chunk] = await replies();
    for (const extent of chunk!.status!.extents) {
      expect(extent.status).toBe(contents[at] === 0 ? 3 : 0);
      at += extent.length;
    }
  }
  expect(at).toBe(STACK_SIZE);
});

describe("cache", () => {
  test.for(["atOnce", "later"] as const)(
    "goes through a range of any length, %s, and holes are left out",
    async (completion) => {
      const contents = disk([
        { isData: true, blocks: 100 },
        { isData: false, blocks: 1800 },
        { isData: true, blocks: 148 },
      ]);
      stack = await makeStack({ contents, completion });
      connect("extended", []);
      client.request({ command: Command.cache, length: STACK_SIZE });
      expect(await replies()).toMatchObject([{ error: 0, isDone: true, type: ChunkType.none }]);
      const read = stack.layer.log.reduce((sum, { length }) => sum + length, 0);
      expect(read).toBe((100 + 148) * BLOCK);
      await endAll(stack, client);
    },
  );

  test("that fails on the way is told so", async () => {
    connect(true, []);
    stack.faults.add({ fault: { kind: "error", code: "CEV_MEDIUM" }, offset: 600_000, length: 1 });
    client.request({ command: Command.cache, length: STACK_SIZE });
    expect((await replies()).map(({ error }) => error)).toEqual([NbdErrno.EIO]);
  });
});

test("a client that does not take its statuses is not asked about more, and their memory counts until they have left", async () => {
  const size = 8_388_608;
  const count = size / 512;
  stack = await makeStack({ size, contents: new Uint8Array(size) });
  let askedCount = 0;
  const budget = new MemoryBudget(100_000_000);
  const it = provider(async ({ countMax }) => {
    askedCount++;
    return Array.from({ length: countMax }, (_, index) => ({ length: 512, status: index % 2 }));
  });
  client = stack.connect({ contexts: [it], budget });
  client.contexts = ["x-test:it"];
  client.enter("disk");
  client.transport.isReader = false;
  for (let cookie = 0; cookie < 40; cookie++) client.request({ command: blockStatus, cookie, length: size });
  await stack.world.run();
  expect(askedCount).toBeLessThan(12);
  expect(budget.bytesTaken).toBeGreaterThanOrEqual(askedCount * count * 8);
  while (client.transport.drainOnce()) await stack.world.run();
  const answers = client.replies();
  expect(answers.map(({ cookie }) => cookie)).toEqual([...Array(40).keys()]);
  for (const { status } of answers) {
    expect(status!.extents).toHaveLength(count);
    expect(status!.extents.at(-1)).toEqual({ length: 512, status: 1 });
  }
  expect(budget.bytesTaken).toBe(0);
  await endAll(stack, client);
});
