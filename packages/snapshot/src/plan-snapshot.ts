import { CevError, MetadataError } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import type { SnapshotSetting } from "./options.ts";
import type { SnapshotPlan } from "./origin-layer.ts";
import { chunkSizeMax, readStore } from "./read-store.ts";
import type { StoreContents } from "./read-store.ts";
import { chunkSizeIssue } from "./store-header.ts";

/** What a snapshot is looked for with. */
export interface PlanSnapshotOptions {
  readonly environment: Environment;
  readonly origin: NamedLayer;
  readonly store: NamedLayer;
  readonly setting: SnapshotSetting;
}

/** A snapshot as it was found. */
export interface FoundSnapshot {
  readonly plan: SnapshotPlan;
  /** Null: the store cannot be accepted. */
  readonly contents: StoreContents | null;
  /** Why it is of no use; null: it is. */
  readonly error: CevError | null;
}

// As the kernel does.
const CHUNK_SIZE_DEFAULT = 16_384;

/** Reads what a store holds. Throws `CEV_INVALID` for settings that make no sense; what is wrong with the store is in the answer. */
export async function planSnapshot(options: PlanSnapshotOptions): Promise<FoundSnapshot> {
  const { environment, origin, store, setting } = options;
  const plan = { setting, source: store.name, store: store.layer, chunkSize: chunkSizeOf(options) };
  try {
    const contents = await readStore({
      environment,
      source: store.name,
      store: store.layer,
      origin: origin.layer,
      chunkSize: plan.chunkSize,
    });
    const isInvalid = contents.state === "invalid";
    return {
      plan: { ...plan, chunkSize: contents.layout.chunkSize, state: isInvalid ? "invalid" : "valid" },
      contents,
      error: isInvalid ? invalid(store.name) : null,
    };
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    return { plan: { ...plan, state: "damaged" }, contents: null, error };
  }
}

/** What a new store is made with. Throws `CEV_INVALID`. */
function chunkSizeOf({ environment, origin, store, setting }: PlanSnapshotOptions): number {
  const logicalBlockSize = Math.max(
    origin.layer.limits.logicalBlockSize,
    store.layer.limits.logicalBlockSize,
  );
  const chunkSize = setting.chunkSize ?? Math.max(CHUNK_SIZE_DEFAULT, logicalBlockSize);
  const issue = chunkSizeIssue(chunkSize, {
    logicalBlockSize,
    chunkSizeMax: chunkSizeMax(environment),
  });
  if (issue !== null)
    throw new CevError("CEV_INVALID", `the snapshot ${setting.name}: a chunk of ${chunkSize} bytes ${issue}`);
  const { size } = origin.layer.limits;
  if ((setting.size ?? size) > size)
    throw new CevError(
      "CEV_INVALID",
      `the snapshot ${setting.name} cannot show ${setting.size} bytes: its origin ${origin.name} has ${size}`,
    );
  return chunkSize;
}

function invalid(source: string): CevError {
  return new CevError("CEV_DEVICE_LOST", "it overflowed or its store failed, and what it held is lost", {
    source,
    hint: "it can be removed; the origin is whole",
  });
}
