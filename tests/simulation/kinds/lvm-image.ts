import { isCevError, readBytes, writeBytes } from "@cev/core";
import type { NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { encodeLabel, encodeMdaHeader, lvmCrc, lvmDriver } from "@cev/lvm";
import { raidDriver } from "@cev/raid";
import { snapshotDriver } from "@cev/snapshot";
import type { AnyDriver } from "@cev/stack";
import type { SimulationSite } from "@cev/test-kit";

export const SECTOR = 512;
/** Bytes of an extent. */
export const EXTENT = 4096;
/** Bytes before the first extent of a physical volume. */
export const DATA_OFFSET = 16_384;

const AREA_OFFSET = 4096;
const AREA_SIZE = DATA_OFFSET - AREA_OFFSET;
const TEXT_OFFSET = 512;

/** Bodies of volumes by their names. */
export type Volumes = Readonly<Record<string, string>>;

/** Makes each lower a physical volume of one group; its first extent is blank. */
export async function formatGroup({ environment, whole }: SimulationSite, volumes: Volumes): Promise<void> {
  const lowers = whole();
  const sizes = lowers.map(({ layer }) => layer.limits.size);
  const text = new TextEncoder().encode(`${groupText(sizes, volumes)}\0`);
  for (const [index, { layer }] of lowers.entries()) {
    const bytes = new Uint8Array(DATA_OFFSET);
    bytes.set(
      encodeLabel({
        sector: 1,
        uuid: uuidOf(index).replaceAll("-", ""),
        deviceSize: layer.limits.size,
        dataAreas: [{ offset: DATA_OFFSET, size: 0 }],
        metadataAreas: [{ offset: AREA_OFFSET, size: AREA_SIZE }],
        extension: { version: 2, flags: 1, bootloaderAreas: [] },
      }),
      SECTOR,
    );
    const committed = { offset: TEXT_OFFSET, size: text.length, checksum: lvmCrc(text), flags: 0 };
    bytes.set(
      encodeMdaHeader({ start: AREA_OFFSET, size: AREA_SIZE, committed, precommitted: null }),
      AREA_OFFSET,
    );
    bytes.set(text, AREA_OFFSET + TEXT_OFFSET);
    await writeBytes(layer, environment, 0, bytes, true);
    // No log and no superblock that somebody else left there.
    await writeBytes(layer, environment, DATA_OFFSET, new Uint8Array(EXTENT), true);
  }
}

/** What a group is opened with. */
export interface GroupOpening {
  /** Null: all that are visible. */
  readonly volumes: readonly string[] | null;
  /** Some of it may be missing. */
  readonly mayLack?: boolean;
  readonly report?: OpenContext<unknown>["report"];
}

/** Opens volumes of a group, and with other drivers what they are made of. */
export async function openGroup(
  { environment, lowers, whole }: SimulationSite,
  { volumes, mayLack = false, report = () => undefined }: GroupOpening,
): Promise<readonly OpenedDevice[]> {
  const context = {
    environment,
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: mayLack,
    directory: ".",
    report,
  };
  return lvmDriver.open({
    ...context,
    options: { group: null, volumes },
    lowers: mayLack ? await readable(lowers, environment) : whole(),
    async openWith(name, request) {
      const driver = ENGINES.find((one) => one.name === name)!;
      const checked = await driver.options["~standard"].validate(request.options);
      if (checked.issues !== undefined) throw new Error(`${name}: ${checked.issues[0]!.message}`);
      return driver.open({ ...context, report, ...request, options: checked.value });
    },
  });
}

const ENGINES: readonly AnyDriver[] = [raidDriver, snapshotDriver];

/** The lowers that can be read: a disk that is gone is left out, as whoever looks for members would. */
async function readable(
  lowers: readonly (NamedLayer | null)[],
  environment: SimulationSite["environment"],
): Promise<NamedLayer[]> {
  const found: NamedLayer[] = [];
  for (const lower of lowers) {
    if (lower === null) continue;
    try {
      await readBytes(lower.layer, environment, 0, DATA_OFFSET);
      found.push(lower);
    } catch (error) {
      if (!isCevError(error)) throw error;
    }
  }
  return found;
}

/** What every volume begins with. */
export function header(uuid: number, isVisible: boolean): string {
  const visible = isVisible ? `, "VISIBLE"` : "";
  return `id = "${uuidOf(uuid)}"\nstatus = ["READ", "WRITE"${visible}]\nflags = []`;
}

/** A volume of one segment. */
export function volume(
  uuid: number,
  extentCount: number,
  lines: readonly string[],
  isVisible = true,
): string {
  return `${header(uuid, isVisible)}\nsegment_count = 1\n${segment(0, 0, extentCount, lines.join("\n"))}`;
}

/** A segment of a volume. */
export function segment(index: number, start: number, extentCount: number, lines: string): string {
  return `segment${index + 1} {\nstart_extent = ${start}\nextent_count = ${extentCount}\n${lines}\n}`;
}

/** Extents of one physical volume, from the one of that number on. */
export function linear(pv: string, extent: number): string {
  return `type = "striped"\nstripe_count = 1\nstripes = ["${pv}", ${extent}]`;
}

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

function uuidOf(index: number): string {
  return [6, 4, 4, 4, 4, 4, 6].map((length) => DIGITS[index]!.repeat(length)).join("-");
}

function groupText(sizes: readonly number[], volumes: Readonly<Record<string, string>>): string {
  const physical = sizes.map(
    (size, index) => `pv${index} {
id = "${uuidOf(index)}"
status = ["ALLOCATABLE"]
flags = []
dev_size = ${size / SECTOR}
pe_start = ${DATA_OFFSET / SECTOR}
pe_count = ${Math.floor((size - DATA_OFFSET) / EXTENT)}
}`,
  );
  const logical = Object.entries(volumes).map(([name, body]) => `${name} {\n${body}\n}`);
  return `vg {
id = "${uuidOf(DIGITS.length - 1)}"
seqno = 1
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = ${EXTENT / SECTOR}
max_lv = 0
physical_volumes {
${physical.join("\n")}
}
logical_volumes {
${logical.join("\n")}
}
}
contents = "Text Format Volume Group"
version = 1
`;
}
