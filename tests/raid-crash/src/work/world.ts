import type { SimulatedWorld } from "@cev/test-kit";

// More than any chain of promises in an array is long.
const MICROTASKS_MAX = 100;

/**
 * Runs a world until a promise settles, and returns or throws its outcome. Between its turns nothing of it moves: there
 * `between` may do something else for as long as it likes.
 */
export async function drive<T>(
  world: SimulatedWorld,
  promise: Promise<T>,
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  let isSettled = false;
  const settled = (): void => void (isSettled = true);
  promise.then(settled, settled);
  let idleTurns = 0;
  for (let turns = 0; ; turns++) {
    for (let count = 0; count < MICROTASKS_MAX && !isSettled; count++) await Promise.resolve();
    await between();
    if (isSettled) return promise;
    if (turns === 100_000) throw new Error(`still busy after ${turns} turns and ${world.now} ms`);
    idleTurns = world.step() ? 0 : idleTurns + 1;
    if (idleTurns === 0) continue;
    // Disks that answer at once let chains of promises grow long: they end before a turn of the real event loop does.
    await new Promise((resolve) => setImmediate(resolve));
    if (idleTurns === 10)
      throw new Error("it hangs: nothing is left to do, and what was waited for has not come");
  }
}

/** Resolves after some simulated time. */
export function delay(world: SimulatedWorld, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    world.environment.clock.after(milliseconds, resolve);
  });
}
