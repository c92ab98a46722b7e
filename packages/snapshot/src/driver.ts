import { CevError, INTERFACE_VERSION, formatError } from "@cev/core";
import type { Details, Driver, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { ORIGIN_NAME, SNAPSHOT_OPTIONS, SNAPSHOT_OPTIONS_SCHEMA } from "./options.ts";
import type { SnapshotDriverOptions, SnapshotSetting } from "./options.ts";
import { OriginLayer } from "./origin-layer.ts";
import type { SnapshotPlan } from "./origin-layer.ts";
import { planSnapshot } from "./plan-snapshot.ts";
import type { FoundSnapshot } from "./plan-snapshot.ts";
import type { StoreContents } from "./read-store.ts";
import { RefusedLayer } from "./refused-layer.ts";
import { SnapshotLayer } from "./snapshot-layer.ts";

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

async function open(context: OpenContext<SnapshotDriverOptions>): Promise<readonly OpenedDevice[]> {
  const { environment, isReadOnly } = context;
  const [origin, ...stores] = context.lowers;
  const settings = settingsOf(context.options, stores.length);
  const found: FoundSnapshot[] = [];
  for (const [index, setting] of settings.entries())
    found.push(await planSnapshot({ environment, origin: origin!, store: stores[index]!, setting }));
  for (const one of found) reportFound(context, one);
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

/** What cannot be accepted is reported, and the others still open. */
function reportFound(
  context: OpenContext<SnapshotDriverOptions>,
  { plan, contents, error }: FoundSnapshot,
): void {
  const { setting, source, state, chunkSize } = plan;
  if (error !== null) {
    reportLost(context, setting.name, state, error);
    return;
  }
  if (contents?.state === "blank" || setting.chunkSize === null || setting.chunkSize === chunkSize) return;
  context.report({
    severity: "warning",
    code: "CEV_INVALID",
    message: `the store ${source} has chunks of ${chunkSize} bytes, not of ${setting.chunkSize}: that is what counts`,
    device: setting.name,
  });
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
  { plan, contents, error }: FoundSnapshot,
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
