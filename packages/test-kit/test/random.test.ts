import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { ModelDevice, Random, SimulatedWorld } from "../src/index.ts";

describe("Random", () => {
  test.prop([fc.maxSafeInteger()])("the same seed gives the same numbers", (seed) => {
    const [a, b] = [new Random(seed), new Random(seed)];
    expect(a.bytes(33)).toEqual(b.bytes(33));
  });

  test("seeds that differ in their upper half alone give other numbers", () => {
    expect(new Random(2 ** 33).next()).not.toBe(new Random(2 ** 34).next());
  });

  test.prop([fc.nat(), fc.integer({ min: 1, max: 2 ** 50 })])("stays in range", (seed, end) => {
    const random = new Random(seed);
    for (let count = 0; count < 20; count++) {
      const value = random.below(end);
      expect(Number.isInteger(value) && value >= 0 && value < end).toBe(true);
    }
  });

  test("fills evenly", () => {
    const counts = new Array<number>(256).fill(0);
    for (const byte of new Random(9).bytes(256 * 1000)) counts[byte]!++;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });

  test("shuffles without loss", () => {
    const values = Array.from({ length: 100 }, (_, index) => index);
    const shuffled = new Random(1).shuffled(values);
    expect(shuffled).not.toEqual(values);
    expect(shuffled.toSorted((a, b) => a - b)).toEqual(values);
  });
});

describe("ModelDevice", () => {
  test("holds what was written, and forgives what it cannot know", () => {
    const model = new ModelDevice(100);
    expect(model.firstDifference(0, new Uint8Array(100).fill(7))).toBe(-1);
    model.write(10, Uint8Array.of(1, 2, 3));
    expect(model.firstDifference(10, Uint8Array.of(1, 9, 3))).toBe(11);
    model.forget(11, 1);
    expect(model.firstDifference(10, Uint8Array.of(1, 9, 3))).toBe(-1);
    model.writeZeroes(0, 100);
    expect(model.firstDifference(50, Uint8Array.of(0, 1))).toBe(51);
    expect(new ModelDevice(10, true).firstDifference(0, Uint8Array.of(1))).toBe(0);
  });
});

describe("SimulatedWorld", () => {
  test("runs timers in order of time, turns before them, and no real time passes", async () => {
    const { environment, ...world } = simulate(1);
    const seen: string[] = [];
    environment.clock.after(2000, () => seen.push(`second at ${environment.clock.now()}`));
    environment.clock.after(1000, () => seen.push(`first at ${environment.clock.now()}`));
    environment.clock.after(1500, () => seen.push("never")).cancel();
    environment.later(() => seen.push("turn"));
    await world.run();
    expect(seen).toEqual(["turn", "first at 1000", "second at 2000"]);
  });

  test("says so when what is waited for can never happen", async () => {
    const { drive } = simulate(1);
    await expect(drive(new Promise(() => undefined))).rejects.toThrow(/nothing is left to do/);
  });

  test("random bytes are replayed from the seed", () => {
    const bytes = (seed: number): Uint8Array => {
      const data = new Uint8Array(16);
      simulate(seed).environment.random(data);
      return data;
    };
    expect(bytes(4)).toEqual(bytes(4));
    expect(bytes(4)).not.toEqual(bytes(5));
  });
});

function simulate(seed: number) {
  const world = new SimulatedWorld({ seed });
  return {
    environment: world.environment,
    run: () => world.run(),
    drive: (promise: Promise<unknown>) => world.drive(promise),
  };
}
