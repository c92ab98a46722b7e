import { RaidLayer } from "@cev/raid";
import type { Stack } from "@cev/stack";
import { LaterProblems } from "./later-problems.ts";
import { syncOf } from "./raid/array-detail.ts";
import { SyncBars } from "./raid/sync-bars.ts";

const PERIOD_MS = 500;

/** Tells of what goes wrong, and draws, on a terminal, how far the resync or rebuild of a stack's array is, until something has come about. */
export async function showSyncs(stack: Stack, until: Promise<unknown>): Promise<void> {
  using bars = new SyncBars(false);
  const arrays = stack.devices.flatMap(({ layer, own = layer }) => (own instanceof RaidLayer ? [own] : []));
  const later = new LaterProblems(stack);
  const timer = setInterval(() => {
    later.tell();
    // One line has room for one: the next follows when it is done.
    const sync = arrays.map(syncOf).find((one) => one !== null);
    if (sync === undefined) bars.finish();
    else bars.update(sync);
  }, PERIOD_MS);
  await until.finally(() => clearInterval(timer));
  later.tell();
}

/** Resyncs and rebuilds that have not ended, as warnings: they go on when the array is opened the next time. */
export function unfinishedSyncs(stack: Stack): string[] {
  return stack.devices.flatMap(({ name, layer }) => {
    const sync = layer instanceof RaidLayer ? syncOf(layer) : null;
    if (sync === null || sync.total === 0) return [];
    const percent = Math.floor((100 * sync.done) / sync.total);
    const what = sync.action === "recover" ? "rebuild" : sync.action;
    return [
      `the ${what} of ${name} is ${percent}% done, and goes on there the next time; cev raid assemble brings it to its end`,
    ];
  });
}
