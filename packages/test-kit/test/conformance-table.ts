import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Driver, Support } from "@cev/core";
import { checkingDriver } from "../src/drivers/checking.ts";
import { corruptionDriver } from "../src/drivers/corruption.ts";
import { faultDriver } from "../src/drivers/fault.ts";
import { noOpDriver } from "../src/drivers/no-op.ts";
import { pauseDriver } from "../src/drivers/pause.ts";
import { powerCutDriver } from "../src/drivers/power-cut.ts";
import { recordDriver } from "../src/drivers/record.ts";
import { statisticsDriver } from "../src/drivers/statistics.ts";
import { throttleDriver } from "../src/drivers/throttle.ts";
import { reopenWith } from "../src/index.ts";
import type { ConformanceTable, LowerOptions, Manifest, Subject } from "../src/index.ts";

const SIZE = 65_536;

interface Row {
  readonly driver: Driver;
  /** As in a stack file. Nothing goes wrong by them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Of a second device that it takes. */
  readonly logSize?: number;
  readonly manifest?: Partial<Manifest>;
}

/** What a durable write takes the place of is read first, for a cut; where it cannot be read the write is done all the same. */
const READS_FIRST: Partial<Manifest> = { canHideErrors: true };

const rows: readonly Row[] = [
  { driver: noOpDriver },
  { driver: noOpDriver, options: { isAsync: true } },
  { driver: checkingDriver },
  { driver: statisticsDriver },
  { driver: pauseDriver },
  { driver: throttleDriver, options: { bytesPerSecond: 2e9, requestsPerSecond: 1e6, burstMs: 1 } },
  { driver: faultDriver, options: { seed: 3 } },
  { driver: corruptionDriver, options: { seed: 4, memoryMax: 0 } },
  { driver: powerCutDriver, manifest: READS_FIRST },
  { driver: powerCutDriver, options: { memoryMax: 8192, seed: 5 }, manifest: READS_FIRST },
  // What cannot be recorded is not: the device goes on.
  {
    driver: recordDriver,
    logSize: 1 << 20,
    manifest: {
      canHideErrors: true,
      skip: {
        transparency:
          "what waits for the log is written to it at once, and how much depends on what stands between",
      },
    },
  },
];

const LOWERS: {
  readonly [what: string]: { readonly lower: Partial<LowerOptions>; readonly support?: Support };
} = {
  "a disk": { lower: {} },
  "blocks of 4096 and short requests": { lower: { blockSize: 4096, limits: { ioLengthMax: 12_288 } } },
  "what may not be written": {
    lower: { support: { write: "none", discard: "none", writeZeroes: "none", flush: "none", fua: "none" } },
    support: READ_ONLY_SUPPORT,
  },
};

function subjectOf({ driver, options = {}, logSize, manifest }: Row, what: string): Subject {
  const { lower, support = FULL_SUPPORT } = LOWERS[what]!;
  const isReadOnly = support === READ_ONLY_SUPPORT;
  const words = Object.entries(options).map(([name, value]) => ` ${name} ${String(value)}`);
  return {
    name: `${driver.name.replace("@cev/test-kit/", "")}${words.join("")} over ${what}`,
    manifest: { support, reopen: reopenWith(driver, { isReadOnly }), ...manifest },
    async create(bench) {
      const layers = [bench.lower({ size: SIZE, ...lower })];
      if (logSize !== undefined) layers.push(bench.lower({ size: logSize }));
      const checked = await driver.options["~standard"].validate(options);
      if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
      const [opened] = await driver.open({
        environment: bench.environment,
        options: checked.value,
        lowers: layers.map((layer, index) => ({ name: `disk${index}`, layer })),
        keySource: { keys: [] },
        isReadOnly,
        canWriteDegraded: false,
        directory: ".",
        report: () => undefined,
      });
      return opened!.layer;
    },
  };
}

/** Every driver of the kit with rules by which nothing goes wrong, so that nobody may notice that it is there. */
export const conformanceTable: ConformanceTable = {
  package: "@cev/test-kit",
  groups: Object.fromEntries(
    Object.keys(LOWERS).map((what) => [what, rows.map((row) => subjectOf(row, what))]),
  ),
  drawnCount: 5,
};
