import { CryptLayer } from "@cev/crypt";
import { Io, Op, environmentFrom, openTree, closeTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { NativePeer } from "../native-peer.ts";
import type { Report } from "../report.ts";
import { measureEvp, startEvp } from "./evp.ts";
import { SinkLayer } from "./sink-layer.ts";

const KIB = 1024;
const ROUNDS = 25;
const SLICES = 4;
// So much goes through in one slice.
const SLICE_BYTES = 2 * KIB * KIB;
// What one stream of OpenSSL does with calls of this length is 1.
const PEER_LENGTH = 16 * KIB;
const DISK_SIZE = 1024 * KIB * KIB;
// As far as requests move on in order; random ones go everywhere.
const SPAN = 16 * KIB * KIB;
const LENGTHS = [4 * KIB, 64 * KIB, 1024 * KIB] as const;

interface Row {
  readonly encryption: string;
  readonly keySize: number;
  readonly sectorSize: number;
  readonly peer: string;
  readonly isRandom?: boolean;
  /** Through `node:ffi`, where this Node has it. */
  readonly isForeign?: boolean;
  /** Wanted at each of the lengths. */
  readonly atLeast?: readonly number[];
}

const XTS = { encryption: "aes-xts-plain64", keySize: 64, peer: "aes-256-xts" };
const ROWS: readonly Row[] = [
  { ...XTS, sectorSize: 512, atLeast: [0.25, 0.5, 0.5] },
  { ...XTS, sectorSize: 4096, atLeast: [0.25, 0.5, 0.5] },
  { ...XTS, sectorSize: 512, isRandom: true },
  { ...XTS, sectorSize: 512, isForeign: true },
  { encryption: "aes-cbc-essiv:sha256", keySize: 32, sectorSize: 512, peer: "aes-256-cbc" },
];

/** The layer over a disk that costs nothing, by length of the request, in units of one stream of OpenSSL at 16 KiB. */
export async function benchSectors(report: Report): Promise<void> {
  report.title(
    "Sectors: speed in units of OpenSSL's single stream at 16 KiB; data in the pool's memory, and in the caller's own",
  );
  const evp = startEvp();
  if (typeof evp === "string") {
    console.log(`not measured: OpenSSL's library (Debian's libssl-dev) cannot be used: ${evp}`);
    return;
  }
  await using peer = evp;
  const names = LENGTHS.map((length) => `${length / KIB} KiB`);
  report.row("", "", ...names, ...names.map((name) => `${name} own`));
  for (const row of ROWS) {
    for (const direction of ["encrypt", "decrypt"] as const) {
      if (!report.includes(`${nameOf(row)}, ${direction}`)) continue;
      const figures = await measureRow(peer, row, direction);
      const name = `${nameOf(row)}, ${direction}`;
      report.row("", "", ...figures.map((figure) => figure.toFixed(2)), name);
      for (const [index, bound] of (row.atLeast ?? []).entries())
        report.want(`${name}, ${names[index]}: cev to OpenSSL`, figures[index]!, "at least", bound);
    }
  }
}

function nameOf({ encryption, sectorSize, isRandom, isForeign }: Row): string {
  const how = `${isRandom === true ? ", at random" : ""}${isForeign === true ? ", through ffi" : ""}`;
  return `${encryption}, sectors of ${sectorSize}${how}`;
}

/** Ratios by length, in pool memory and then in the caller's own: the fastest of each, in turns. */
async function measureRow(peer: NativePeer, row: Row, direction: "encrypt" | "decrypt"): Promise<number[]> {
  const environment = environmentFrom(globalThis);
  const layer = layerOf(environment, row);
  await openTree(layer);
  const runs = [true, false].flatMap((isInPool) =>
    LENGTHS.map((length) => newRun(layer, environment, { row, direction, length, isInPool })),
  );
  const least = runs.map(() => Infinity);
  let theirs = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const slices = { cipher: row.peer, direction, length: PEER_LENGTH, sliceCount: SLICES };
    const took = await measureEvp(peer, { ...slices, callCount: SLICE_BYTES / PEER_LENGTH });
    theirs = Math.min(theirs, took / PEER_LENGTH);
    for (const [index, run] of runs.entries()) least[index] = Math.min(least[index]!, run());
  }
  await closeTree(layer);
  return least.map((own) => theirs / own);
}

function layerOf(environment: Environment, { encryption, keySize, sectorSize, isForeign }: Row): Layer {
  return new CryptLayer(new SinkLayer(DISK_SIZE), {
    environment,
    segment: { offset: 0, size: null, ivTweak: 0, encryption, sectorSize },
    backend: isForeign === true ? "ffi" : "openssl",
    volumeKey: Uint8Array.from({ length: keySize }, (_, index) => index * 7),
  });
}

interface RunOptions {
  readonly row: Row;
  readonly direction: "encrypt" | "decrypt";
  readonly length: number;
  readonly isInPool: boolean;
}

/** Nanoseconds per byte of the fastest slice of requests, when called. */
function newRun(
  layer: Layer,
  environment: Environment,
  { row, direction, length, isInPool }: RunOptions,
): () => number {
  const data = isInPool ? environment.buffers.acquire(length).bytes : new Uint8Array(length);
  const io = new Io(environment.runQueue);
  const op = direction === "encrypt" ? Op.write : Op.read;
  const places = (row.isRandom === true ? DISK_SIZE : SPAN) / length;
  const count = SLICE_BYTES / length;
  let seed = 1;
  let next = 0;
  return () => {
    let least = Infinity;
    for (let slice = 0; slice < SLICES; slice++) {
      const start = process.hrtime.bigint();
      for (let time = 0; time < count; time++) {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        const place = row.isRandom === true ? (seed >>> 8) % places : next++ % places;
        io.prepare(op, place * length, length, data);
        layer.submit(io);
        if (!io.isUpToDate) throw new Error(`the layer failed: ${io.error?.message ?? "not at once"}`);
      }
      least = Math.min(least, Number(process.hrtime.bigint() - start));
    }
    return least / SLICE_BYTES;
  };
}
