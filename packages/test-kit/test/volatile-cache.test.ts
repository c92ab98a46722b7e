import { Io, IoFlag, Op, environmentFrom } from "@cev/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CutRecorder, DurabilityModel, PowerCutLayer, Random, SimulatedWorld } from "../src/index.ts";
import type { CachePolicy } from "../src/index.ts";
import { PlainPowerCut } from "./support/plain-power-cut.ts";

const environment = environmentFrom(globalThis);
const SIZE = 16 * 512;
const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

function submit(
  layer: PowerCutLayer | PlainPowerCut,
  op: Op,
  offset: number,
  data: Uint8Array,
  flags = 0,
): Io {
  const io = new Io(environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
  layer.submit(io);
  return io;
}

const action = fc.record({
  op: fc.constantFrom(Op.write, Op.write, Op.write, Op.writeZeroes, Op.discard, Op.flush),
  block: fc.nat(15),
  blockCount: fc.integer({ min: 1, max: 8 }),
  isDurable: fc.boolean(),
  value: fc.integer({ min: 1, max: 255 }),
  // In the mode in which requests complete in a turn of their own: turns that pass before the next one.
  turnCount: fc.nat(2),
});

describe("PowerCutLayer", () => {
  test.each([512, 1024] as const)(
    "blocks of %i: loses what its plain twin loses, from the same seed",
    async (unit) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(action, { maxLength: 25 }),
          fc.boolean(),
          fc.nat(1000),
          async (actions, isLater, seed) => {
            const world = new SimulatedWorld({ seed: 1, order: "fifo" });
            const options = {
              size: SIZE,
              blockSize: unit,
              atomicLength: unit,
              completion: isLater ? "later" : "atOnce",
            } as const;
            const disks = [
              new PowerCutLayer(world.environment, options),
              new PlainPowerCut(world.environment, options),
            ] as const;
            for (const { op, block, blockCount, isDurable, value, turnCount } of actions) {
              const offset = Math.floor((block * 512) / unit) * unit;
              const length =
                op === Op.flush ? 0 : Math.min(Math.ceil((blockCount * 512) / unit) * unit, SIZE - offset);
              for (const disk of disks)
                submit(
                  disk,
                  op,
                  op === Op.flush ? 0 : offset,
                  bytesOf(length, value),
                  isDurable && op !== Op.flush ? IoFlag.fua : 0,
                );
              if (isLater) for (let turn = 0; turn < turnCount; turn++) world.step();
              const [image, wanted] = disks.map((disk) => disk.imageAfterCut(new Random(seed)));
              expect(image).toEqual(wanted);
              expect(disks[0].contents).toEqual(disks[1].contents);
            }
            for (const disk of disks) disk.cut(new Random(seed));
            expect(disks[0].contents).toEqual(disks[1].contents);
            await world.run();
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  test.each<[CachePolicy, number[][]]>([
    ["none", [[0, 0, 0, 0]]],
    ["all", [[1, 2, 2, 3]]],
    [
      "writes",
      [
        [0, 0, 0, 0],
        [1, 1, 0, 0],
        [0, 2, 2, 0],
        [0, 0, 0, 3],
        [1, 2, 2, 0],
        [1, 1, 0, 3],
        [0, 2, 2, 3],
        [1, 2, 2, 3],
      ],
    ],
    [
      "prefix",
      [
        [0, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 2, 2, 0],
        [1, 2, 2, 3],
      ],
    ],
  ])("policy %s leaves what it says, and all of that at some time", (policy, wanted) => {
    const disk = new PowerCutLayer(environment, { size: 2048 });
    submit(disk, Op.write, 0, bytesOf(1024, 1));
    submit(disk, Op.write, 512, bytesOf(1024, 2));
    submit(disk, Op.write, 1536, bytesOf(512, 3));
    const found = Array.from({ length: 100 }, (_, seed) => {
      const image = disk.imageAfterCut(new Random(seed), policy);
      return [0, 512, 1024, 1536].map((at) => image[at]!).join();
    });
    expect(new Set(found)).toEqual(new Set(wanted.map((values) => values.join())));
  });

  test("units larger than blocks are whole, also where a write covers a part of one", () => {
    const disk = new PowerCutLayer(environment, { size: 8192, atomicLength: 2048 });
    submit(disk, Op.write, 1024, bytesOf(3072, 1));
    for (let seed = 0; seed < 20; seed++) {
      const image = disk.imageAfterCut(new Random(seed));
      const values = [1024, 1536, 2048, 2560, 3072, 3584].map((at) => image[at]);
      expect(new Set(values.slice(0, 2)).size).toBe(1);
      expect(new Set(values.slice(2)).size).toBe(1);
    }
  });
});

describe("CutRecorder and DurabilityModel", () => {
  test("every state that a cut can leave is one that the model allows, and the work is not over at any", () => {
    const random = new Random(7);
    const disk = new PowerCutLayer(environment, { size: SIZE });
    const model = new DurabilityModel(new Uint8Array(SIZE));
    const recorder = new CutRecorder([disk], {
      random,
      policies: ["all", "none", "sectors", "writes", "prefix"],
      context: () => model.copy(),
    });
    for (let count = 0; count < 80; count++) {
      const offset = 512 * random.below(12);
      const data = random.bytes(512 * random.between(1, 4));
      if (random.chance(0.2)) {
        const ended = model.flushBegan();
        submit(disk, Op.flush, 0, new Uint8Array(0));
        ended();
        continue;
      }
      const isDurable = random.chance(0.2);
      const write = random.chance(0.1) ? model.forget(offset, data.length) : model.began(offset, data);
      submit(disk, Op.write, offset, data, isDurable ? IoFlag.fua : 0);
      model.completed(write, isDurable);
    }
    recorder.record();
    recorder.stop();
    submit(disk, Op.write, 0, bytesOf(512, 1));
    expect(recorder.momentCount).toBe(81);
    expect(recorder.states.length).toBe(81 * 5);
    for (const { at, policy, images, context } of recorder.states)
      expect(context.firstWrong(images[0]!), `moment ${at}, ${policy}`).toBe(-1);
    // And it can say no: what was durable at the end was not always there.
    const last = recorder.states.at(-1)!;
    expect(last.context.firstWrong(recorder.states[0]!.images[0]!)).toBeGreaterThanOrEqual(0);
  });

  test("where only what the disks hold counts, no state is kept twice, and none is missing", () => {
    const recorded = (isDistinct: boolean): CutRecorder<null> => {
      const random = new Random(9);
      const disks = [0, 1].map(() => new PowerCutLayer(environment, { size: SIZE }));
      const recorder = new CutRecorder(disks, { random, isDistinct, context: () => null });
      for (let count = 0; count < 60; count++) {
        const disk = disks[count & 1]!;
        if (count % 5 === 0) submit(disk, Op.flush, 0, new Uint8Array(0));
        else submit(disk, Op.write, 512 * (count % 3), bytesOf(512, count % 4));
      }
      return recorder;
    };
    const printsOf = ({ states }: CutRecorder<null>): string[] =>
      states.map(({ images }) => Buffer.concat([...images]).toString("latin1"));
    const [all, distinct] = [printsOf(recorded(false)), printsOf(recorded(true))];
    expect(distinct).toEqual([...new Set(all)]);
    expect(distinct.length).toBeLessThan(all.length);
  });

  test("a share of the moments is recorded, the same ones from the same seed", () => {
    const momentsOf = (seed: number): number[] => {
      const disk = new PowerCutLayer(environment, { size: SIZE });
      const recorder = new CutRecorder([disk], {
        random: new Random(seed),
        share: 0.3,
        policies: ["none"],
        context: () => null,
      });
      for (let count = 0; count < 50; count++) submit(disk, Op.write, 0, bytesOf(512, 1));
      return recorder.states.map(({ at }) => at);
    };
    expect(momentsOf(3)).toEqual(momentsOf(3));
    expect(momentsOf(3)).not.toEqual(momentsOf(4));
    expect(momentsOf(3).length).toBeLessThan(30);
  });

  test("what was learned after a restart, grew or was forgotten", () => {
    const model = new DurabilityModel(bytesOf(1024, 1));
    const write = model.began(0, bytesOf(512, 2));
    expect([bytesOf(512, 1), bytesOf(512, 2), bytesOf(512, 3)].map((data) => model.firstWrong(data))).toEqual(
      [-1, -1, 0],
    );
    model.completed(write, true);
    expect(model.firstWrong(bytesOf(512, 1))).toBe(0);
    model.forget(512, 512);
    expect(model.firstWrong(bytesOf(512, 9), 512)).toBe(-1);
    model.learn(bytesOf(1024, 4), (offset) => offset === 512);
    expect([model.firstWrong(bytesOf(512, 9), 512), model.firstWrong(bytesOf(512, 4), 512)]).toEqual([
      512, -1,
    ]);
    model.grew(1536);
    expect([model.size, model.firstWrong(bytesOf(512, 9), 1024)]).toEqual([1536, -1]);
  });
});
