import { writeBytes } from "@cev/core";
import { snapshotDriver } from "@cev/snapshot";
import type { SimulationKind } from "@cev/test-kit";

/** An origin with snapshots, whose stores have room for all of it; the origin or a snapshot is shown. */
export const snapshotKind: SimulationKind = {
  name: "snapshot",
  package: "@cev/snapshot",
  planVersion: 1,
  traits: () => ({}),
  plan(random, size) {
    const chunkSize = random.pick([1024, 4096]);
    const count = random.between(1, 2);
    const originSize = Math.ceil(size / 4096) * 4096;
    // Every chunk, its exception, the header, and areas that are blank ahead.
    const storeSize = 2 * originSize + 64 * chunkSize;
    return {
      kind: "snapshot",
      options: { chunkSize, count, shown: random.below(count + 1) },
      lowers: [originSize, ...Array.from({ length: count }, () => storeSize)],
    };
  },
  *simpler({ kind, options, lowers }) {
    if (options["count"] === 2)
      yield {
        kind,
        options: { ...options, count: 1, shown: Math.min(1, options["shown"] as number) },
        lowers: lowers.slice(0, 2),
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
