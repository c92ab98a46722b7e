import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ChunkType, Command, CommandFlag, NbdErrno } from "../../src/protocol/numbers.ts";
import { disk, disks } from "../support/disks.ts";
import type { FakeClient } from "../support/fake-client.ts";
import type { Reply } from "../support/messages.ts";
import { STACK_SIZE, endAll, makeStack, pattern } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

let stack: Stack;
let client: FakeClient;
beforeEach(async () => {
  stack = await makeStack();
});

function connect(form: boolean | "extended"): void {
  client = stack.connect().enter("disk", form);
}

async function replies(): Promise<Reply[]> {
  await stack.world.run();
  return client.replies();
}

describe("reads with holes", () => {
  /** Puts the chunks of a read together; zeroes where nothing came. */
  function assembled(
    chunks: readonly Reply[],
    offset: number,
    length: number,
  ): { bytes: Uint8Array; covered: number } {
    const bytes = new Uint8Array(length);
    let covered = 0;
    for (const chunk of chunks) {
      if (chunk.type === ChunkType.offsetData) bytes.set(chunk.data, chunk.offset - offset);
      covered += chunk.type === ChunkType.offsetHole ? chunk.length : chunk.data.length;
    }
    return { bytes, covered };
  }

  test("give the same bytes in every form, and the last chunk ends the reply", async () => {
    const settings = fc.record({
      form: fc.constantFrom(false, true, "extended" as const),
      isUnfragmented: fc.boolean(),
      completion: fc.constantFrom("atOnce" as const, "later" as const),
      offset: fc.nat({ max: 600_000 }),
      length: fc.integer({ min: 131_072, max: 448_576 }),
    });
    await fc.assert(
      fc.asyncProperty(
        disks,
        settings,
        async (contents, { form, isUnfragmented, completion, offset, length }) => {
          stack = await makeStack({ contents, completion });
          connect(form);
          const flags = isUnfragmented && form !== false ? CommandFlag.df : 0;
          for (let round = 0; round < 2; round++) {
            client.request({ command: Command.read, offset, length, flags });
            await stack.world.run();
            const chunks = client.replies(() => length);
            const { bytes, covered } = assembled(
              chunks.map((each) => (form === false ? { ...each, type: 1, offset } : each)),
              offset,
              length,
            );
            expect(covered).toBe(length);
            expect(Buffer.compare(bytes, contents.subarray(offset, offset + length))).toBe(0);
            expect(chunks.filter(({ isDone }) => isDone)).toEqual([chunks.at(-1)]);
            if (flags !== 0) expect(chunks.map(({ type }) => type)).toEqual([ChunkType.offsetData]);
            for (const chunk of chunks)
              if (chunk.type === ChunkType.offsetHole) expect(chunk.length).toBeGreaterThanOrEqual(65_536);
          }
          await endAll(stack, client);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("send long holes as such, in whole sectors", async () => {
    stack = await makeStack({
      contents: disk([
        { isData: true, blocks: 200 },
        { isData: false, blocks: 800 },
        { isData: true, blocks: 1048 },
      ]),
    });
    connect(true);
    client.request({ command: Command.read, offset: 100, length: 1_000_000 });
    expect(
      (await replies()).map(({ type, offset, length, data }) => [
        type,
        offset,
        Math.max(length, data.length),
      ]),
    ).toEqual([
      [ChunkType.offsetData, 100, 102_300],
      [ChunkType.offsetHole, 102_400, 409_600],
      [ChunkType.offsetData, 512_000, 488_100],
    ]);
  });

  test("ask no more once all around them is data, until some of it is thrown away", async () => {
    connect(true);
    let askedCount = 0;
    const runs = stack.faults.runs.bind(stack.faults);
    stack.faults.runs = (...range) => {
      askedCount++;
      return runs(...range);
    };
    const read = async (): Promise<number[]> => {
      client.request({ command: Command.read, length: 500_000 });
      return (await replies()).map(({ type }) => type);
    };
    for (let count = 0; count < 5; count++) expect(await read()).toEqual([ChunkType.offsetData]);
    expect(askedCount).toBeLessThan(20);
    const before = askedCount;
    expect(await read()).toEqual([ChunkType.offsetData]);
    expect(askedCount).toBe(before);
    client.request({ command: Command.writeZeroes, offset: 0, length: 200_000 - (200_000 % 512) });
    await replies();
    expect(await read()).toEqual([ChunkType.offsetHole, ChunkType.offsetData]);
  });

  test("that fail in a later piece have sent what came before, and tell where", async () => {
    stack = await makeStack({
      contents: disk([
        { isData: true, blocks: 200 },
        { isData: false, blocks: 800 },
        { isData: true, blocks: 1048 },
      ]),
    });
    connect("extended");
    stack.faults.add({ fault: { kind: "error", code: "CEV_MEDIUM" }, offset: 600_000, length: 1 });
    client.request({ command: Command.read, offset: 0, length: 1_000_000 });
    const chunks = await replies();
    expect(chunks.map(({ type, isDone, offset }) => [type, isDone, offset])).toEqual([
      [ChunkType.offsetData, false, 0],
      [ChunkType.offsetHole, false, 102_400],
      [ChunkType.errorOffset, true, 512_000],
    ]);
    await endAll(stack, client);
  });
});

describe.for(["atOnce", "later"] as const)("a read that fails in the middle (%s)", (completion) => {
  test.for([true, "extended"] as const)(
    "sends the part that was read, and tells where it ended (%s)",
    async (form) => {
      stack = await makeStack({ completion });
      connect(form);
      const contents = pattern(STACK_SIZE);
      for (const length of [4096, 16_384, 65_536, 120_832]) {
        for (let round = 0; round < 3; round++) {
          client.request({ command: Command.read, offset: 8192, length });
          await replies();
        }
        stack.faults.add({ fault: { kind: "half", code: "CEV_MEDIUM" }, countMax: 1 });
        client.request({ command: Command.read, cookie: 5, offset: 8192, length });
        client.request({ command: Command.read, cookie: 6, offset: 512, length: 512 });
        const all = (await replies()).toSorted((a, b) => a.cookie - b.cookie);
        const [part, error, next] = all;
        expect(part).toMatchObject({ type: ChunkType.offsetData, isDone: false, cookie: 5, offset: 8192 });
        expect(part!.data.length).toBeGreaterThan(0);
        expect(part!.data.length).toBeLessThan(length);
        expect(Buffer.compare(part!.data, contents.subarray(8192, 8192 + part!.data.length))).toBe(0);
        expect(error).toMatchObject({
          type: ChunkType.errorOffset,
          isDone: true,
          cookie: 5,
          error: NbdErrno.EIO,
          offset: 8192 + part!.data.length,
        });
        expect(Buffer.compare(next!.data, contents.subarray(512, 1024))).toBe(0);
      }
      await endAll(stack, client);
    },
  );

  test("has no data where replies are simple", async () => {
    stack = await makeStack({ completion });
    connect(false);
    stack.faults.add({ fault: { kind: "half", code: "CEV_MEDIUM" }, countMax: 1 });
    client.request({ command: Command.read, offset: 8192, length: 4096 });
    expect(await replies()).toMatchObject([{ kind: "simple", error: NbdErrno.EIO }]);
  });
});
