import { closeTree, isCevError, openTree, readBytes, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { snapshotDriver } from "@cev/snapshot";
import { WindowLayer } from "@cev/stack";
import type { SimulationKind } from "@cev/test-kit";
import { sideBySide } from "./side-by-side.ts";
import { WatchedLayer, lookInto } from "./watched-layer.ts";

interface Shape {
  readonly chunkSize: number;
  /** Of snapshots. */
  readonly count: number;
  readonly originSize: number;
  /** The origin is 0; null: all. */
  readonly shown: number | null;
  /** The stores may run out of room. */
  readonly isTight: boolean;
}

/**
 * An origin with snapshots; the origin or a snapshot is shown, or all of them one behind the other. The stores have room for all of it; or,
 * where the origin is shown, less: then snapshots are lost, and the origin goes on.
 */
export const snapshotKind: SimulationKind = {
  name: "snapshot",
  package: "@cev/snapshot",
  planVersion: 6,
  traits: () => ({}),
  plan(random, size) {
    // No smaller than the blocks of whatever is below.
    const chunkSize = random.pick([4096, 8192]);
    const count = random.between(1, 2);
    const showsAll = random.chance(0.4);
    const originSize = Math.ceil(size / (showsAll ? count + 1 : 1) / 8192) * 8192;
    // Every chunk, its exception, the header, and areas that are blank ahead.
    const whole = 2 * originSize + 64 * chunkSize;
    const shown = showsAll ? null : random.below(count + 1);
    const isTight = shown === 0 && random.chance(0.5);
    const tight = chunkSize * random.between(4, 4 + originSize / chunkSize);
    return {
      kind: "snapshot",
      options: { chunkSize, count, originSize, shown, isTight },
      lowers: [originSize, ...Array.from({ length: count }, () => (isTight ? tight : whole))],
    };
  },
  async format({ environment, options, whole }) {
    const chunkSize = options["chunkSize"] as number;
    const [origin, ...stores] = whole();
    await writeBytes(origin!.layer, environment, 0, patternOf(options["originSize"] as number), true);
    for (const { layer } of stores)
      await writeBytes(layer, environment, 0, new Uint8Array(Math.max(4096, 2 * chunkSize)), true);
  },
  async open({ environment, options, whole }) {
    const { chunkSize, count, shown, originSize, isTight } = options as unknown as Shape;
    const names = Array.from({ length: count }, (_, index) => ({ name: `s${index}`, chunkSize }));
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
    // What is below may be larger: the stores have no room for that.
    const layers = opened.map(
      ({ layer }) => new WindowLayer(layer, "partition", { start: 0, length: originSize }),
    );
    const others = shown === null ? [] : layers.filter((_layer, index) => index !== shown);
    return new WatchedLayer(shown === null ? sideBySide(layers, originSize) : layers[shown]!, {
      look: () => compareOthers(environment, others, originSize, isTight),
      keepsAll: false,
    });
  },
  verify: lookInto,
};

/** What an origin holds at first, which all others go on holding that are not written. */
export function patternOf(length: number): Uint8Array {
  const words = Uint32Array.from({ length: length / 4 }, (_word, index) => Math.imul(index + 1, 0x9e3779b1));
  return new Uint8Array(words.buffer);
}

/** Opens layers that nobody wrote, and compares them with the pattern. `mayBeLost`: or they refuse to be read. */
export async function compareOthers(
  environment: Environment,
  others: readonly Layer[],
  length: number,
  mayBeLost = false,
): Promise<readonly string[]> {
  const pattern = patternOf(length);
  const findings: string[] = [];
  for (const layer of others) {
    const bytes = await bytesOf(layer, environment, length).catch((error: unknown) => {
      if (mayBeLost && isCevError(error) && error.code === "CEV_DEVICE_LOST") return null;
      throw error;
    });
    const at = bytes === null ? -1 : bytes.findIndex((byte, index) => byte !== pattern[index]);
    if (at >= 0) findings.push(`${layer.name}, which nobody wrote, has changed at byte ${at}`);
  }
  return findings;
}

async function bytesOf(layer: Layer, environment: Environment, length: number): Promise<Uint8Array> {
  await openTree(layer);
  try {
    return await readBytes(layer, environment, 0, length);
  } finally {
    await closeTree(layer);
  }
}
