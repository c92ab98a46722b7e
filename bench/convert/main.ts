import { Device, environmentFrom } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { CompressLayer, SmallBlockLayer, SwapLayer, formatCompressed } from "@cev/convert";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { median } from "../measure.ts";
import type { Report } from "../report.ts";

const KIB = 1024;
const MIB = 1 << 20;
const SIZE = 64 * MIB;
/** Bytes that are written, and read, in one run. */
const SPAN = 16 * MIB;
const DEPTH = 8;
const ROUNDS = 5;

type Content = "text" | "noise";
type Make = (environment: Environment, length: number) => Promise<Layer>;

const CONTESTANTS: readonly (readonly [name: string, make: Make])[] = [
  ["compressed, chunks as long as requests", (environment, length) => compressed(environment, length)],
  ["compressed, chunks of 32 KiB", (environment) => compressed(environment, 32 * KIB)],
  [
    "words of 4",
    async (environment) => new SwapLayer(await ramdisk(environment), { wordLength: 4, environment }),
  ],
  [
    "blocks of 512 on 4096",
    async (environment) =>
      new SmallBlockLayer(await ramdisk(environment, 4096), { logicalBlockSize: 512, environment }),
  ],
];

/** Conversions over ramdisks, beside the ramdisk itself: requests of 4 and 64 KiB, eight at once. */
export async function benchConvert(report: Report): Promise<void> {
  report.title("Conversions over a ramdisk, and the ramdisk alone: MiB/s and their ratio");
  report.row("converted", "ramdisk", "ratio", "load");
  for (const length of [4 * KIB, 64 * KIB])
    for (const content of ["text", "noise"] as const)
      for (const [name, make] of CONTESTANTS) {
        if (!report.includes(name)) continue;
        const own: Figures[] = [];
        const raw: Figures[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          own.push(await figuresOf(make, length, content));
          raw.push(await figuresOf(ramdisk, length, content));
        }
        for (const load of ["writes", "reads"] as const) {
          const ratio = median(own.map((figures, round) => figures[load] / raw[round]![load]));
          const [mine, theirs] = [own, raw].map((figures) => median(figures.map((one) => one[load])));
          const title = `${name}: ${load} of ${length / KIB} KiB, ${content}`;
          report.row(mine!.toFixed(0), theirs!.toFixed(0), ratio.toFixed(2), title);
        }
      }
}

/** MiB per second. Writes are flushed at the end. */
interface Figures {
  readonly writes: number;
  readonly reads: number;
}

async function figuresOf(make: Make, length: number, content: Content): Promise<Figures> {
  const environment = environmentFrom(globalThis);
  const device = await Device.open(await make(environment, length), environment);
  const data = dataOf(content, environment);
  // Twice: the first time the ramdisk takes its memory.
  let writes = 0;
  for (let time = 0; time < 2; time++)
    writes = await rate(
      length,
      (at) => device.write(at, data.subarray(at, at + length)),
      () => device.flush(),
    );
  const reads = await rate(length, (at) => device.read(at, length));
  await device.close();
  return { writes, reads };
}

async function rate(
  length: number,
  request: (at: number) => Promise<unknown>,
  end: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < SPAN; at += length * DEPTH)
    await Promise.all(Array.from({ length: DEPTH }, (_, index) => request(at + index * length)));
  await end();
  return SPAN / MIB / ((performance.now() - start) / 1000);
}

async function ramdisk(environment: Environment, blockSize?: number): Promise<RamdiskLayer> {
  return Promise.resolve(
    new RamdiskLayer(environment, { size: SIZE, ...(blockSize === 4096 && { blockSize }) }),
  );
}

async function compressed(environment: Environment, chunkSize: number): Promise<Layer> {
  const lower = await ramdisk(environment);
  const superblock = await formatCompressed(lower, environment, { chunkSize });
  return new CompressLayer(lower, { superblock, environment });
}

/** Text gets a third of its length, noise nothing. */
function dataOf(content: Content, environment: Environment): Uint8Array {
  const data = new Uint8Array(SPAN);
  for (let at = 0; at < SPAN; at += 64 * KIB) environment.random(data.subarray(at, at + 64 * KIB));
  if (content === "text") for (let at = 0; at < SPAN; at++) data[at] = WORDS.charCodeAt(data[at]! % 16);
  return data;
}

const WORDS = "etaoin shrdlu eee";
