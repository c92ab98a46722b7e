import { describe, expect, test } from "vitest";
import { Random, SimulatedWorld } from "../src/index.ts";

describe("a simulated world", () => {
  test("rings alarms by time, those of one time in the order in which they were set", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const random = new Random(7);
    const wanted: { at: number; index: number }[] = [];
    const rung: number[] = [];
    for (let index = 0; index < 500; index++) {
      const at = random.below(50);
      const timer = world.environment.clock.after(at, () => void rung.push(index));
      if (random.chance(0.3)) timer.cancel();
      else wanted.push({ at, index });
    }
    await world.run();
    expect(rung).toEqual(wanted.sort((a, b) => a.at - b.at || a.index - b.index).map(({ index }) => index));
    expect(world.isIdle).toBe(true);
  });

  test("a timer that rang can be cancelled, and nothing happens", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const rung: string[] = [];
    const first = world.environment.clock.after(1, () => void rung.push("first"));
    world.environment.clock.after(2, () => void rung.push("second"));
    await world.turns(1);
    first.cancel();
    await world.run();
    expect(rung).toEqual(["first", "second"]);
  });

  test("lets a chain of a thousand promises end within one turn", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const chain = async (): Promise<string> => {
      for (let count = 0; count < 1000; count++) await Promise.resolve();
      return "through";
    };
    expect(await world.drive(chain())).toBe("through");
  });

  test("says so when nothing can settle what is waited for, or it takes too long", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    await expect(world.drive(new Promise(() => undefined))).rejects.toThrow("nothing is left to do");
    const again = (): void => world.environment.later(again);
    again();
    await expect(world.drive(new Promise(() => undefined), 10)).rejects.toThrow("in 10 turns");
  });
});
