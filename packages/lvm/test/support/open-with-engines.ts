import { readBytes } from "@cev/core";
import type { Layer, OpenContext, OpenWithRequest, OpenedDevice, Problem } from "@cev/core";
import { NoOpLayer } from "@cev/test-kit";
import { lvmDriver } from "../../src/index.ts";
import type { LvmOptions } from "../../src/index.ts";
import { A, B, C, pv } from "./base-group.ts";
import { EXTENT_SIZE, groupText } from "./group-image.ts";
import type { GroupRecipe } from "./group-image.ts";
import type { ImageLayer } from "./image-layer.ts";
import { environment } from "./open.ts";

/** The status of a volume that LVM2 does not show. */
export const HIDDEN = '["READ", "WRITE"]';

/** What an engine was asked for, and how the lowers stood while it looked at them. */
interface Asked {
  readonly driver: string;
  readonly options: unknown;
  readonly lowers: readonly string[];
  readonly canWrite: readonly boolean[];
}

export interface OpenedWithEngines {
  readonly devices: readonly OpenedDevice[];
  readonly problems: readonly Problem[];
  readonly asked: readonly Asked[];
  readonly disks: readonly ImageLayer[];
}

interface Settings extends Partial<LvmOptions> {
  /** Indexes of physical volumes that are left out. */
  readonly without?: readonly number[];
  readonly isReadOnly?: boolean;
  readonly engine?: (driver: string, request: OpenWithRequest) => readonly Layer[];
}

/** As many devices as an engine would make, each the first of its lowers. */
export function standIn(_driver: string, { options, lowers }: OpenWithRequest): readonly Layer[] {
  const { snapshots, volumes } = options as { snapshots?: unknown[]; volumes?: unknown[] };
  const count = snapshots === undefined ? (volumes?.length ?? 1) : 1 + snapshots.length;
  return Array.from({ length: count }, () => new NoOpLayer(lowers[0]!.layer));
}

/** Opens a group on three physical volumes whose engines are stand-ins. */
export async function openWithEngines(
  volumes: GroupRecipe["volumes"],
  settings: Settings = {},
): Promise<OpenedWithEngines> {
  const { without = [], isReadOnly = false, engine = standIn } = settings;
  const text = groupText({ pvs: [A, B, C], volumes });
  const disks = [A, B, C].map((uuid, index) => pv(`d${index}`, uuid, text));
  const problems: Problem[] = [];
  const asked: Asked[] = [];
  const context: OpenContext<LvmOptions> = {
    environment,
    options: {
      group: null,
      volumes: settings.volumes ?? null,
      ...(settings.force === undefined ? {} : { force: settings.force }),
    },
    lowers: disks
      .filter((_, index) => !without.includes(index))
      .map((layer) => ({ name: layer.name, layer })),
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => problems.push(problem),
    openWith: async (driver, request) => {
      // As engines do: without a claim of its own, and only what is open can answer.
      for (const { layer } of request.lowers) await readBytes(layer, environment, 0, 512);
      asked.push({
        driver,
        options: request.options,
        lowers: request.lowers.map(({ name }) => name),
        canWrite: request.lowers.map(({ layer }) => layer.support.write !== "none"),
      });
      return engine(driver, request).map((layer) => ({
        name: null,
        layer,
        state: "fine",
        details: { by: driver },
      }));
    },
  };
  const devices = await lvmDriver.open(context);
  return { devices, problems, asked, disks };
}

/** The names of what was opened. */
export const names = ({ devices }: OpenedWithEngines): (string | null)[] => devices.map(({ name }) => name);

/** What a device holds, of extents on the three physical volumes. */
export function extents(
  disks: readonly ImageLayer[],
  ...places: readonly (readonly [number, number])[]
): Buffer {
  return Buffer.concat(
    places.map(([disk, extent]) => {
      const start = 65_536 + extent * EXTENT_SIZE;
      return disks[disk]!.bytes.subarray(start, start + EXTENT_SIZE);
    }),
  );
}
