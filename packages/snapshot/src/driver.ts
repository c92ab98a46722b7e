import { CevError, INTERFACE_VERSION, MetadataError, formatError } from "@cev/core";
import type { Details, Driver, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { ORIGIN_NAME, SNAPSHOT_OPTIONS, SNAPSHOT_OPTIONS_SCHEMA } from "./options.ts";
import type { SnapshotDriverOptions, SnapshotSetting } from "./options.ts";
import { OriginLayer } from "./origin-layer.ts";
import type { SnapshotPlan } from "./origin-layer.ts";
import { readStore } from "./read-store.ts";
import type { StoreContents } from "./read-store.ts";
import { RefusedLayer } from "./refused-layer.ts";
import { SnapshotLayer } from "./snapshot-layer.ts";
import { chunkSizeIssue } from "./store-header.ts";

/** Copy-on-write snapshots of any device, in device-mapper's format: yields the origin, then each snapshot. */
export const snapshotDriver: Driver<SnapshotDriverOptions> = {
  name: "@cev/snapshot",
  interfaceVersion: INTERFACE_VERSION,
  summary: "copy-on-write snapshots of any device, in device-mapper's format",
  options: SNAPSHOT_OPTIONS,
  optionsSchema: SNAPSHOT_OPTIONS_SCHEMA,
  lowers: { countMin: 2, countMax: 256 },
  yieldsChildren: true,
  open,
};

/** A snapshot as it was found. */
interface Found {
  readonly plan: SnapshotPlan;
  readonly contents: StoreContents | null;
  readonly error: CevError | null;
}

// As the kernel does.
const CHUNK_SIZE_DEFAULT = 16_384;

async function open(context: OpenContext<SnapshotDriverOptions>): Promise<readonly OpenedDevice[]> {
  const { environment, isReadOnly } = context;
  const [origin, ...stores] = context.lowers;
  const settings = settingsOf(context.options, stores.length);
  const found: Found[] = [];
  for (const [index, setting] of settings.entries())
    found.push(await find(context, origin!, stores[index]!, setting));
  const plans = found.map(({ plan }) => plan);
  const merging = found.find(({ plan }) => plan.setting.isMerging && plan.state === "damaged");
  // What the origin holds cannot be told without it.
  if (merging !== undefined) throw merging.error!;
  const layer = new OriginLayer({
    environment,
    origin: origin!.layer,
    plans,
    isReadOnly,
    onInvalid: (snapshot, cause) =>
      context.report({
        severity: "error",
        code: cause.code,
        message: formatError(cause),
        device: snapshot.name,
      }),
  });
  reportReadOnlyOrigin(context, layer, plans);
  return [
    {
      name: ORIGIN_NAME,
      layer,
      state: originState(plans),
      details: { snapshots: plans.map(({ setting }) => setting.name) },
    },
    ...found.map((one) => device(layer, one, origin!)),
  ];
}

function settingsOf({ snapshots }: SnapshotDriverOptions, storeCount: number): readonly SnapshotSetting[] {
  if (snapshots === null)
    return Array.from({ length: storeCount }, (_, index) => ({
      name: storeCount === 1 ? "snapshot" : `snapshot${index}`,
      chunkSize: null,
      size: null,
      isMerging: false,
    }));
  if (snapshots.length === storeCount) return snapshots;
  throw new CevError("CEV_INVALID", `there are ${snapshots.length} snapshots for ${storeCount} stores`, {
    hint: "the lowers are the origin and one store for each snapshot, in the same order",
  });
}

/** Reads what a store holds. One that cannot be accepted is reported, and the others still open. */
async function find(
  context: OpenContext<SnapshotDriverOptions>,
  origin: NamedLayer,
  store: NamedLayer,
  setting: SnapshotSetting,
): Promise<Found> {
  const { environment } = context;
  const chunkSize = checkSetting(context, origin, store, setting);
  const plan = { setting, source: store.name, store: store.layer, chunkSize };
  try {
    const contents = await readStore({
      environment,
      source: store.name,
      store: store.layer,
      origin: origin.layer,
      chunkSize,
    });
    const found = contents.layout.chunkSize;
    if (contents.state !== "blank" && setting.chunkSize !== null && setting.chunkSize !== found)
      context.report({
        severity: "warning",
        code: "CEV_INVALID",
        message: `the store ${store.name} has chunks of ${found} bytes, not of ${setting.chunkSize}: that is what counts`,
        device: setting.name,
      });
    const isInvalid = contents.state === "invalid";
    const error = isInvalid
      ? new CevError("CEV_DEVICE_LOST", "it overflowed or its store failed, and what it held is lost", {
          source: store.name,
          hint: "it can be removed; the origin is whole",
        })
      : null;
    if (error !== null) reportLost(context, setting.name, "invalid", error);
    return { plan: { ...plan, chunkSize: found, state: isInvalid ? "invalid" : "valid" }, contents, error };
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    reportLost(context, setting.name, "damaged", error);
    return { plan: { ...plan, state: "damaged" }, contents: null, error };
  }
}

function checkSetting(
  { environment }: OpenContext<SnapshotDriverOptions>,
  origin: NamedLayer,
  store: NamedLayer,
  setting: SnapshotSetting,
): number {
  const logicalBlockSize = Math.max(
    origin.layer.limits.logicalBlockSize,
    store.layer.limits.logicalBlockSize,
  );
  const chunkSize = setting.chunkSize ?? Math.max(CHUNK_SIZE_DEFAULT, logicalBlockSize);
  const issue = chunkSizeIssue(chunkSize, {
    logicalBlockSize,
    chunkSizeMax: environment.buffers.bufferLengthMax,
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

function reportLost(
  context: OpenContext<SnapshotDriverOptions>,
  name: string,
  state: string,
  error: CevError,
): void {
  context.report({
    severity: "error",
    code: error.code,
    message: `the snapshot ${name} is ${state}: ${formatError(error)}`,
    device: name,
  });
}

function reportReadOnlyOrigin(
  context: OpenContext<SnapshotDriverOptions>,
  layer: OriginLayer,
  plans: readonly SnapshotPlan[],
): void {
  const isExpected = context.isReadOnly || context.lowers[0]!.layer.support.write === "none";
  if (layer.support.write !== "none" || isExpected) return;
  const cause = plans.find((plan) => plan.state === "damaged" || plan.store.support.write === "none")!;
  const what = cause.state === "damaged" ? "is damaged" : "cannot be written";
  context.report({
    severity: "warning",
    code: "CEV_READ_ONLY",
    message: `the origin is opened read-only: the store ${cause.source} of the snapshot ${cause.setting.name} ${what}, so nothing could be kept for it`,
    device: ORIGIN_NAME,
  });
}

function device(
  origin: OriginLayer,
  { plan, contents, error }: Found,
  { layer: lower }: NamedLayer,
): OpenedDevice {
  const { setting, state } = plan;
  const { name, isMerging } = setting;
  const size = setting.size ?? lower.limits.size;
  const details = detailsOf(plan, contents, size);
  const description = () => origin.describe();
  if (state === "valid" && !isMerging)
    return {
      name,
      layer: new SnapshotLayer({ origin, plan, size, description }),
      state: "valid",
      details,
    };
  const why =
    error ??
    new CevError("CEV_BUSY", "it is being merged into its origin, which shows what it holds", {
      hint: `open ${ORIGIN_NAME}`,
    });
  const refusal = new CevError(why.code, `the snapshot ${name} cannot be opened: ${why.message}`, {
    ...why.place,
    cause: why,
  });
  return {
    name,
    layer: new RefusedLayer(name, {
      lower: origin,
      limits: { ...lower.limits, size },
      error: refusal,
      description,
    }),
    state: isMerging && state === "valid" ? "merging" : state,
    details,
  };
}

/** As `dmsetup status` shows it, in bytes. */
function detailsOf(
  { chunkSize, source, store }: SnapshotPlan,
  contents: StoreContents | null,
  size: number,
): Details {
  const total = store.limits.size;
  if (contents === null || contents.state === "invalid")
    return { store: source, chunkSize: contents === null ? null : chunkSize, size, total };
  const allocated = Math.min(contents.nextFree * chunkSize, total);
  return {
    store: source,
    chunkSize,
    size,
    chunks: contents.table.size,
    allocated,
    total,
    metadata: (contents.areaIndex + 2) * chunkSize,
    percentFull: Math.round((allocated / total) * 10_000) / 100,
  };
}

function originState(plans: readonly SnapshotPlan[]): string {
  return plans.some(({ setting, state }) => setting.isMerging && state === "valid") ? "merging" : "active";
}
