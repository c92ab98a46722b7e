import type { Environment, Layer, NamedLayer, OpenedDevice, Problem } from "@cev/core";
import { snapshotDriver } from "../src/index.ts";

/** Settings of `openSnapshots`. */
export interface OpenSettings {
  readonly environment: Environment;
  readonly origin: Layer;
  readonly stores: readonly Layer[];
  readonly options?: unknown;
  readonly isReadOnly?: boolean;
  readonly problems?: Problem[];
}

/** Asks the driver for an origin and its snapshots, over lowers that can be read already. */
export async function openSnapshots(settings: OpenSettings): Promise<readonly OpenedDevice[]> {
  const { environment, origin, stores, isReadOnly = false, problems = [] } = settings;
  const lowers: NamedLayer[] = [
    { name: "origin.img", layer: origin },
    ...stores.map((layer, index) => ({ name: `store${index}.img`, layer })),
  ];
  const checked = await snapshotDriver.options["~standard"].validate(settings.options ?? {});
  if (checked.issues !== undefined) throw new Error(checked.issues.map(({ message }) => message).join("; "));
  return snapshotDriver.open({
    environment,
    options: checked.value,
    lowers,
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => void problems.push(problem),
  });
}
