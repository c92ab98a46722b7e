import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Device, environmentFrom } from "@cev/core";
import { NbdLayer } from "@cev/nbd";
import { makeCertificates, makeKeys } from "../black-box/credentials.ts";
import { writeProgram } from "../black-box/servers.ts";
import { Random } from "../src/random.ts";
import type { FaultCase, Setting } from "./fault-case.ts";
import { FIO_LENGTH, chooseFioPass, verify, writeAndVerify } from "./fio.ts";
import { HOT_LENGTH, HotSpot } from "./hot-spot.ts";
import { Killer } from "./killer.ts";
import { MemoryLog } from "./memory-log.ts";
import { MortalServer } from "./mortal-server.ts";
import { writeStack } from "./stack-file.ts";

/** On a busy machine a server that is killed again and again is away most of the time. */
const RECONNECT_TIMEOUT_MS = 300_000;
/** A read through the client shows that it has come back. */
const PROBE_LENGTH = 4096;

interface KillShape {
  readonly connections: number;
  readonly tls?: "certificates" | "keys";
  /** The server loses what was not flushed. */
  readonly isVolatile?: boolean;
  /** Memory for copies of what was not flushed. */
  readonly unflushedMax?: number;
}

const SHAPES: Readonly<Record<string, KillShape>> = {
  "kill one-connection": { connections: 1 },
  "kill four-connections": { connections: 4 },
  "kill tls-certificates": { connections: 1, tls: "certificates" },
  "kill tls-keys four-connections": { connections: 4, tls: "keys" },
  "power-cut one-connection": { connections: 1, isVolatile: true },
  "power-cut four-connections": { connections: 4, isVolatile: true },
  "power-cut little-memory": { connections: 2, isVolatile: true, unflushedMax: 1_048_576 },
};

/** A server that is killed again and again, under a client that comes back. */
export function killCases(): FaultCase[] {
  return Object.entries(SHAPES).map(([name, shape]) => ({
    name,
    run: async (setting) => work(setting, shape),
  }));
}

async function work({ folder, cev, seconds, seed }: Setting, shape: KillShape): Promise<string> {
  const random = new Random(seed);
  const file = join(folder, "disk");
  writeFileSync(file, "");
  truncateSync(file, FIO_LENGTH + HOT_LENGTH);
  const socket = join(folder, "a");
  const { words, client } = await serverOf({ folder, cev, seed, file, socket }, shape);
  await using server = new MortalServer(words, socket);
  await server.start();
  // What is above it goes down with it, so it is started again, too: at the end, to see what is durable.
  const front = join(folder, "b");
  await using above = new MortalServer(
    [cev, "serve", writeStack(folder, { disk: client }), "--socket", front],
    front,
  );
  await above.start();
  using memory = new MemoryLog("client", above.pid);
  const environment = environmentFrom(globalThis);
  const probe = await Device.open(
    await NbdLayer.at(environment, { uri: `nbd+unix:///?socket=${front}` }),
    environment,
  );
  const hot = await HotSpot.start(client, new Random(seed + 1), FIO_LENGTH);
  const killer = new Killer(server, new Random(seed + 2), async () =>
    Promise.all([probe.read(0, PROBE_LENGTH), hot.nextAnswer()]),
  );
  const end = Date.now() + seconds * 1000;
  let bytes = 0;
  let passes = 0;
  let failure: unknown = null;
  try {
    do {
      bytes += await writeAndVerify({ socket: front }, chooseFioPass(random));
      passes++;
    } while (Date.now() < end);
    // What was flushed is there although nobody is left who had a copy.
    const last = chooseFioPass(random);
    bytes += await writeAndVerify({ socket: front }, last, { endsWithFlush: true });
    await hot.stop();
    await killer.stop();
    const figures = memory.figures();
    await probe.close();
    await above.kill();
    await server.kill();
    bytes += await verify({ file }, last);
    const mib = Math.round(bytes / 2 ** 20);
    return `${server.killCount} kills, ${passes + 1} passes, ${mib} MiB verified, ${hot.requestCount} requests to the same blocks, ${figures}`;
  } catch (error) {
    failure = error;
    throw new Error(`${(error as Error).message}; above: ${above.said().trim()}`, { cause: error });
  } finally {
    // The first failure is told; these clean up.
    if (failure !== null) await Promise.allSettled([hot.stop(), killer.stop(), probe.close()]);
  }
}

interface Place {
  readonly folder: string;
  readonly cev: string;
  readonly seed: number;
  readonly file: string;
  readonly socket: string;
}

async function serverOf(
  { folder, cev, seed, file, socket }: Place,
  { connections, tls, isVolatile = false, unflushedMax }: KillShape,
): Promise<{ readonly words: readonly string[]; readonly client: { readonly uri: string } }> {
  const options = {
    connections,
    reconnectTimeoutMs: RECONNECT_TIMEOUT_MS,
    ...(unflushedMax === undefined ? {} : { unflushedMax }),
  };
  if (isVolatile) {
    const program = fileURLToPath(new URL("volatile-server.ts", import.meta.url));
    const words = [writeProgram(join(folder, "volatile"), program), file, socket, String(seed)];
    return { words, client: { uri: `nbd+unix:///?socket=${socket}`, ...options } };
  }
  const words = [cev, "serve", file, "--socket", socket];
  if (tls === undefined) return { words, client: { uri: `nbd+unix:///?socket=${socket}`, ...options } };
  const place = join(folder, "tls");
  if (tls === "certificates") {
    await makeCertificates(place);
    const uri = `nbds+unix:///?socket=${socket}&tls-certificates=${place}&tls-hostname=localhost`;
    return {
      words: [...words, "--tls-certificates", place, "--tls-verify-peer"],
      client: { uri, ...options },
    };
  }
  makeKeys(place, "client");
  const uri = `nbds+unix://client@/?socket=${socket}&tls-psk-file=${place}`;
  return { words: [...words, "--tls-psk", place], client: { uri, ...options } };
}
