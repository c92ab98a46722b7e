/** Volume groups in the metadata of LVM2, on the suite's disks: opened by the driver, with the engines that it asks for. */
import { CevError, writeBytes } from "@cev/core";
import type { Driver, Layer, OpenContext, OpenWithRequest, OpenedDevice } from "@cev/core";
import { encodeLabel, encodeMdaHeader, lvmCrc, lvmDriver } from "@cev/lvm";
import { raidDriver } from "@cev/raid";
import { encodeHeader, snapshotDriver } from "@cev/snapshot";
import { thinDriver } from "@cev/thin";
import type { TestBench } from "@cev/test-kit";

const SECTOR = 512;
const EXTENT = 4096;
const EXTENT_COUNT = 96;
const DATA_OFFSET = 16_384;
const AREA = { offset: 4096, size: 12_288 };
const PV_SIZE = DATA_OFFSET + EXTENT_COUNT * EXTENT;

/** A run of extents on a physical volume: which one, the first, how many. */
export type Run = readonly [pv: number, first: number, count: number];

/** The volumes of a group, by name: runs, or the lines of one segment with its number of extents. */
export type Volumes = Readonly<
  Record<string, readonly Run[] | { readonly lines: string; readonly extentCount: number }>
>;

/** What is to be opened. */
export interface GroupRecipe {
  readonly pvCount: number;
  /** Those that have runs are hidden unless they are named here. */
  readonly visible: readonly string[];
  readonly volumes: Volumes;
  /** Stores of snapshots, which get their headers: runs of the name with this size of chunks. */
  readonly stores?: readonly { readonly name: string; readonly chunkSize: number }[];
  /** What else a volume of one run holds from the beginning. */
  readonly contents?: Readonly<Record<string, Uint8Array>>;
  /** The volume that is tried. */
  readonly wanted: string;
}

const ENGINES: readonly Driver[] = [raidDriver, snapshotDriver, thinDriver];

/** Makes the group on the disks of a test where it is not there yet, and opens the wanted volume. */
export async function openVolume(bench: TestBench, recipe: GroupRecipe): Promise<Layer> {
  const { pvCount, wanted } = recipe;
  const pvs = Array.from({ length: pvCount }, () => bench.lower({ size: PV_SIZE }));
  if (bench.isFirst) await makeGroup(bench, pvs, recipe);
  const context: OpenContext<{ group: null; volumes: readonly string[] }> = {
    ...commonOf(bench),
    options: { group: null, volumes: [wanted] },
    lowers: pvs.map((layer, index) => ({ name: `pv${index}`, layer })),
    openWith: engineOpener(bench),
  };
  const [device] = await lvmDriver.open(context);
  return device!.layer;
}

/** What a stack gives every driver. */
function commonOf({ environment }: TestBench): Omit<OpenContext<unknown>, "options" | "lowers"> {
  return {
    environment,
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  };
}

/** Opens with the engines that a group may ask for. */
export function engineOpener(
  bench: TestBench,
): (name: string, request: OpenWithRequest) => Promise<readonly OpenedDevice[]> {
  return async (name, request) => {
    const engine = ENGINES.find((driver) => driver.name === name);
    if (engine === undefined) throw new CevError("CEV_NOT_FOUND", `there is no driver ${name}`);
    const checked = await engine.options["~standard"].validate(request.options);
    if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
    return engine.open({ ...commonOf(bench), options: checked.value, lowers: request.lowers });
  };
}

async function makeGroup(bench: TestBench, pvs: readonly Layer[], recipe: GroupRecipe): Promise<void> {
  const text = new TextEncoder().encode(`${groupText(recipe)}\0`);
  for (const [index, pv] of pvs.entries()) {
    const bytes = new Uint8Array(PV_SIZE);
    bytes.set(
      encodeLabel({
        sector: 1,
        uuid: uuidOf(String(index)).replaceAll("-", ""),
        deviceSize: PV_SIZE,
        dataAreas: [{ offset: DATA_OFFSET, size: 0 }],
        metadataAreas: [AREA],
        extension: { version: 2, flags: 1, bootloaderAreas: [] },
      }),
      SECTOR,
    );
    const committed = { offset: SECTOR, size: text.length, checksum: lvmCrc(text), flags: 0 };
    bytes.set(
      encodeMdaHeader({ start: AREA.offset, size: AREA.size, committed, precommitted: null }),
      AREA.offset,
    );
    bytes.set(text, AREA.offset + SECTOR);
    for (const [name, contents] of contentsOf(recipe)) {
      const [run] = recipe.volumes[name] as readonly Run[];
      if (run?.[0] === index) bytes.set(contents, DATA_OFFSET + run[1] * EXTENT);
    }
    await writeBytes(pv, bench.environment, 0, bytes, true);
  }
}

/** What volumes hold from the beginning. */
function contentsOf({ stores = [], contents = {} }: GroupRecipe): [name: string, bytes: Uint8Array][] {
  const headers = stores.map(({ name, chunkSize }): [string, Uint8Array] => [
    name,
    encodeHeader({ isValid: true, chunkSize }),
  ]);
  return [...headers, ...Object.entries(contents)];
}

function uuidOf(character: string): string {
  return [6, 4, 4, 4, 4, 4, 6].map((length) => character.repeat(length)).join("-");
}

function groupText({ pvCount, volumes, visible }: GroupRecipe): string {
  const physical = Array.from(
    { length: pvCount },
    (_, index) => `pv${index} {
id = "${uuidOf(String(index))}"
status = ["ALLOCATABLE"]
dev_size = ${PV_SIZE / SECTOR}
pe_start = ${DATA_OFFSET / SECTOR}
pe_count = ${EXTENT_COUNT}
}`,
  );
  const logical = Object.entries(volumes).map(([name, volume], index) => {
    const segments = "lines" in volume ? [segmentOf(1, 0, volume)] : linearSegments(volume);
    return `${name} {
id = "${uuidOf(String.fromCharCode(97 + index))}"
status = ["READ", "WRITE"${visible.includes(name) ? ', "VISIBLE"' : ""}]
segment_count = ${segments.length}
${segments.join("\n")}
}`;
  });
  return `vg {
id = "${uuidOf("V")}"
seqno = 1
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
extent_size = ${EXTENT / SECTOR}
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

function linearSegments(runs: readonly Run[]): string[] {
  let start = 0;
  return runs.map(([pv, first, extentCount], index) => {
    const lines = `type = "striped"\nstripe_count = 1\nstripes = ["pv${pv}", ${first}]`;
    const text = segmentOf(index + 1, start, { lines, extentCount });
    start += extentCount;
    return text;
  });
}

function segmentOf(
  count: number,
  start: number,
  { lines, extentCount }: { readonly lines: string; readonly extentCount: number },
): string {
  return `segment${count} {\nstart_extent = ${start}\nextent_count = ${extentCount}\n${lines}\n}`;
}
