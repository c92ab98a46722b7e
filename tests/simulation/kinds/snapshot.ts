import { writeBytes } from "@cev/core";
import { snapshotDriver } from "@cev/snapshot";
import type { SimulationKind } from "@cev/test-kit";

/** An origin with snapshots, whose stores have room for all of it; the origin or a snapshot is shown. */
export const snapshotKind: SimulationKind = {
  name: "snapshot",
  package: "@cev/snapshot",
  planVersion: 2,
  traits: () => ({}),
  plan(random, size) {
    // No smaller than the blocks of whatever is below.
    const chunkSize = random.pick([4096, 8192]);
    const count = random.between(1, 2);
    const originSize = Math.ceil(size / 8192) * 8192;
    // Every chunk, its exception, the header, and areas that are blank ahead.
    const storeSize = 2 * originSize + 64 * chunkSize;
    return {
      kind: "snapshot",
      options: { chunkSize, count, shown: random.below(count + 1) },
      lowers: [originSize, ...Array.from({ length: count }, () => storeSize)],
    };
  },
  async format({ environment, options, whole }) {
    const chunkSize = options["chunkSize"] as number;
    for (const { layer } of whole().slice(1))
      await writeBytes(layer, environment, 0, new Uint8Array(Math.max(4096, 2 * chunkSize)), true);
  },
  async open({ environment, options, whole }) {
    const { chunkSize, count, shown } = options as Record<string, number>;
    const names = Array.from({ length: count! }, (_, index) => ({ name: `s${index}`, chunkSize }));
    const checked = await snapshotDriver.options["~standard"].validate({ snapshots: names });
    if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
    const opened = await snapshotDriver.open({
      environment,
      options: checked.value,
      lowers: whole(),
      keySource: { keys: [] },
      isReadOnly: false,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    });
    return opened[shown!]!.layer;
  },
};
