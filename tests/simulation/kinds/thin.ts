import { readBytes, writeBytes } from "@cev/core";
import type { Environment, Layer, NamedLayer, OpenContext } from "@cev/core";
import { snapshotDriver } from "@cev/snapshot";
import { WindowLayer } from "@cev/stack";
import type { SimulationKind } from "@cev/test-kit";
import { thinDriver } from "@cev/thin";
import { CHUNK, DEVICE_ID, dataChunkCount, thinPool } from "./thin-pool.ts";
import { WatchedLayer, lookInto } from "./watched-layer.ts";

// The last bytes of a chunk: what is shown begins within one.
const START = CHUNK - 8192;
const STORE_CHUNK = 4096;
const NAME = "volume";

/**
 * A volume of a thin pool. It is read only, so what is shown is a snapshot of it: what is written goes to a store. The pool never
 * changes, and every bit of its metadata that does is noticed.
 */
export const thinKind: SimulationKind = {
  name: "thin",
  package: "@cev/thin",
  planVersion: 2,
  traits: ({ metadataLength }) => ({ detects: { offset: 0, length: metadataLength as number } }),
  plan(_random, size) {
    const chunkCount = Math.ceil((START + size) / CHUNK) + 1;
    const { length } = thinPool(chunkCount).metadata;
    // Each chunk of the snapshot, its exception, the header, and areas that are blank ahead.
    const storeLength = 2 * Math.ceil(size / STORE_CHUNK) * STORE_CHUNK + 64 * STORE_CHUNK;
    return {
      kind: "thin",
      options: { chunkCount, metadataLength: length, size: Math.ceil(size / STORE_CHUNK) * STORE_CHUNK },
      lowers: [length, dataChunkCount(chunkCount) * CHUNK, storeLength],
    };
  },
  async format({ environment, options, whole }) {
    const [metadata, data, store] = whole();
    const pool = thinPool(options["chunkCount"] as number);
    await writeBytes(metadata!.layer, environment, 0, pool.metadata, true);
    await writeBytes(data!.layer, environment, 0, pool.data, true);
    await writeBytes(store!.layer, environment, 0, new Uint8Array(2 * STORE_CHUNK), true);
  },
  async open({ environment, options, whole }) {
    const [metadata, data, store] = whole();
    const chunkCount = options["chunkCount"] as number;
    const common = {
      environment,
      keySource: { keys: [] },
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    };
    const [thin] = await thinDriver.open({
      ...common,
      isReadOnly: true,
      options: { volumes: [{ name: NAME, deviceId: DEVICE_ID, size: chunkCount * CHUNK }] },
      lowers: [metadata!, data!],
    });
    const origin = { name: NAME, layer: thin!.layer };
    const [, snapshot] = await openSnapshot({ ...common, isReadOnly: false }, [origin, store!]);
    // No more than the store has room for.
    const length = options["size"] as number;
    return new WatchedLayer(new WindowLayer(snapshot!.layer, "partition", { start: START, length }), {
      look: () => comparePool(environment, origin.layer, chunkCount),
      keepsAll: false,
    });
  },
  verify: lookInto,
};

async function openSnapshot(
  context: Omit<OpenContext<unknown>, "options" | "lowers">,
  lowers: readonly NamedLayer[],
): ReturnType<typeof snapshotDriver.open> {
  const snapshots = [{ name: NAME, chunkSize: STORE_CHUNK, size: null, isMerging: false }];
  return snapshotDriver.open({ ...context, options: { snapshots }, lowers });
}

async function comparePool(
  environment: Environment,
  thin: Layer,
  chunkCount: number,
): Promise<readonly string[]> {
  const { shown } = thinPool(chunkCount);
  const bytes = await readBytes(thin, environment, 0, shown.length);
  const at = bytes.findIndex((byte, index) => byte !== shown[index]);
  return at < 0 ? [] : [`the volume of the pool has changed at byte ${at}`];
}
