import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NativePeer } from "../native-peer.ts";
import type { Report } from "../report.ts";
import { benchAllocation } from "./allocation.ts";
import { askedOf, printTable } from "./comparison.ts";
import type { Wanted } from "./comparison.ts";
import { stopServer } from "./contestants.ts";
import type { Contestant } from "./contestants.ts";
import { batchingLoad, fioLoad, fioSequentialLoad, nbdcopyLoad } from "./loads.ts";
import { AT_ONCE, fileServers, memoryServers } from "./servers.ts";

const SIZE = 256 * 1024 * 1024;
const DIRECTIONS = ["read", "write"] as const;
const DEPTHS = [1, 16, 64];
const NBDKIT = { nbdkit: 1 };
const NBDKIT_AND_QEMU = { nbdkit: 1, "qemu-nbd": 2.2 };

/** NBD side by side with other servers: over memory, by fio, nbdcopy and a client of our own, and over a file. */
export async function benchNbd(report: Report): Promise<void> {
  await overMemory(report);
  await overFile(report);
  if (report.includes("allocation")) await benchAllocation(report);
}

async function overMemory(report: Report): Promise<void> {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "cev-bench-"));
  const source = join(folder, "source");
  const client = NativePeer.start(new URL("batching-client.c", import.meta.url), "c");
  if (typeof client === "string") console.log(`the batching client is left out: ${client}`);
  const wanted = askedOf(report, "memory", [
    ...DIRECTIONS.flatMap((direction) => randomLoads(direction)),
    ...DIRECTIONS.map((direction) => ({ load: fioSequentialLoad(direction, 16, 256), atLeast: NBDKIT })),
    ...DIRECTIONS.map((direction) => ({ load: nbdcopyLoad(direction, source, SIZE), atLeast: NBDKIT })),
    ...(typeof client === "string" ? [] : batchingLoads(client)),
  ]);
  const lone = askedOf(
    report,
    "no poll",
    DIRECTIONS.map((direction) => ({ load: fioLoad(direction, 1), atLeast: {} })),
  );
  let contestants: readonly Contestant[] = [];
  try {
    if (wanted.length + lone.length === 0) return;
    writeFileSync(source, randomBytes(SIZE));
    contestants = await memoryServers(folder, SIZE);
    const fill = nbdcopyLoad("write", source, SIZE);
    for (const { uri, pid } of contestants) fill.run(uri, pid);
    report.title(
      "NBD over memory: cev's requests per second in units of each peer's; server time each likewise",
    );
    const peers = ["nbdkit", "qemu-nbd", "nbd-server"];
    await printTable(report, { title: "memory", contestants, peers, wanted });
    if (lone.length > 0) report.title("The same beside a cev that sleeps as soon as there is nothing to do");
    await printTable(report, { title: "no poll", contestants, peers: ["cev, no poll"], wanted: lone });
  } finally {
    if (typeof client !== "string") await client[Symbol.asyncDispose]();
    for (const contestant of contestants) await stopServer(contestant);
    rmSync(folder, { recursive: true });
  }
}

/** In page cache, on whatever file system temporary files have. */
async function overFile(report: Report): Promise<void> {
  const loadsOf = (direction: "read" | "write"): Wanted[] =>
    DEPTHS.map((depth) => ({
      load: fioLoad(direction, depth),
      atLeast: { nbdkit: depth === 1 ? 0.7 : 1 },
    }));
  const wanted = askedOf(report, "file", DIRECTIONS.flatMap(loadsOf));
  const atOnce = askedOf(report, "file, at once", loadsOf("write"));
  if (wanted.length + atOnce.length === 0) return;
  report.title(
    "NBD over a file in page cache: cev's requests per second in units of each peer's; server time likewise",
  );
  const folder = mkdtempSync(join(tmpdir(), "cev-bench-"));
  let contestants: readonly Contestant[] = [];
  try {
    contestants = await fileServers(folder, SIZE);
    const peers = ["nbdkit", "qemu-nbd"];
    await printTable(report, { title: "file", contestants, peers, wanted });
    if (atOnce.length > 0) report.title("The same with a cev that does short writes on its main thread");
    const others = contestants.filter(({ name }) => name !== "cev");
    const bold = others.map((one) => (one.name === AT_ONCE ? { ...one, name: "cev" } : one));
    await printTable(report, { title: "file, at once", contestants: bold, peers, wanted: atOnce });
  } finally {
    for (const contestant of contestants) await stopServer(contestant);
    rmSync(folder, { recursive: true });
  }
}

function randomLoads(direction: "read" | "write"): Wanted[] {
  return [1, 4].flatMap((connectionCount) =>
    DEPTHS.map((depth) => ({
      load: fioLoad(direction, depth, connectionCount),
      atLeast: depth === 1 ? NBDKIT : NBDKIT_AND_QEMU,
    })),
  );
}

function batchingLoads(client: NativePeer): Wanted[] {
  return DIRECTIONS.flatMap((direction) =>
    [16, 64].map((depth) => ({ load: batchingLoad(client, direction, depth), atLeast: NBDKIT_AND_QEMU })),
  );
}
