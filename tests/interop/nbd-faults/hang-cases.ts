import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeProgram } from "../black-box/servers.ts";
import { output } from "../src/run.ts";
import { Random } from "../src/random.ts";
import type { FaultCase, Setting } from "./fault-case.ts";
import { FIO_LENGTH, chooseFioPass, verify, writeAndVerify } from "./fio.ts";
import { HOT_LENGTH, HotSpot } from "./hot-spot.ts";
import { MemoryLog } from "./memory-log.ts";
import { MortalServer } from "./mortal-server.ts";
import { writeStack } from "./stack-file.ts";

const HANG_MS = 60_000;
const REQUEST_TIMEOUT_MS = 5000;
/** What is not touched by the disk that hangs goes on as ever: a few programs one after the other, on a busy machine. */
const ANSWER_MAX_MS = 15_000;

interface HangShape {
  /** The disk of one export hangs, or the server as a whole is stopped. */
  readonly what: "disk" | "server";
  /** The client gives up connections over which nothing comes. */
  readonly hasTimeout: boolean;
}

const SHAPES: Readonly<Record<string, HangShape>> = {
  "hang disk": { what: "disk", hasTimeout: false },
  "hang disk request-timeout": { what: "disk", hasTimeout: true },
  "hang server": { what: "server", hasTimeout: false },
  "hang server request-timeout": { what: "server", hasTimeout: true },
};

/** A disk, or a server, that answers nothing for a minute. */
export function hangCases(): FaultCase[] {
  return Object.entries(SHAPES).map(([name, shape]) => ({
    name,
    run: async (setting) => work(setting, shape),
  }));
}

async function work({ folder, cev, seed }: Setting, { what, hasTimeout }: HangShape): Promise<string> {
  const random = new Random(seed);
  const [slow, fast] = ["slow", "fast"].map((name) => {
    const file = join(folder, name);
    writeFileSync(file, "");
    truncateSync(file, FIO_LENGTH + HOT_LENGTH);
    return file;
  });
  const socket = join(folder, "a");
  const program = writeProgram(
    join(folder, "hanging"),
    fileURLToPath(new URL("hanging-server.ts", import.meta.url)),
  );
  await using server = new MortalServer([program, slow!, fast!, socket, String(seed)], socket);
  await server.start();
  const client = {
    uri: `nbd+unix:///slow?socket=${socket}`,
    // Longer than the minute: whoever waits is served in the end.
    reconnectTimeoutMs: 3 * HANG_MS,
    ...(hasTimeout ? { requestTimeoutMs: REQUEST_TIMEOUT_MS } : {}),
  };
  const front = join(folder, "b");
  await using above = new MortalServer(
    [cev, "serve", writeStack(folder, { disk: client }), "--socket", front],
    front,
  );
  await above.start();
  using clientMemory = new MemoryLog("client", above.pid);
  using serverMemory = new MemoryLog("server", server.pid);
  const hot = await HotSpot.start(client, new Random(seed + 1), FIO_LENGTH);
  let bytes = 0;
  let isOver = false;
  let worked: Promise<void> = Promise.resolve();
  try {
    worked = (async () => {
      do {
        const pass = chooseFioPass(random);
        bytes += await writeAndVerify({ socket: front }, { ...pass, depth: 32 }, { endsWithFlush: true });
        bytes += await verify({ file: slow! }, pass);
      } while (!isOver);
    })();
    worked.catch(() => undefined); // It is waited for below.
    await sleep(3000);
    server.signal(what === "disk" ? "SIGUSR1" : "SIGSTOP");
    const longest = await neighbour(socket, what);
    server.signal(what === "disk" ? "SIGUSR2" : "SIGCONT");
    const goneOn = Date.now();
    await sleep(3000);
    isOver = true;
    await worked;
    const tail = Date.now() - goneOn;
    await hot.stop();
    const others = what === "disk" ? `, other clients answered within ${longest} ms` : "";
    return `${HANG_MS / 1000} s without an answer${others}, ended ${tail} ms after it, ${Math.round(bytes / 2 ** 20)} MiB verified, ${hot.requestCount} requests to the same blocks, ${clientMemory.figures()}, ${serverMemory.figures()}`;
  } catch (error) {
    isOver = true;
    server.signal(what === "disk" ? "SIGUSR2" : "SIGCONT");
    await Promise.allSettled([worked, hot.stop()]);
    throw new Error(`${(error as Error).message}; above: ${above.said().trim()}`, { cause: error });
  }
}

/** Clients of another export, and newcomers to this one, for as long as the disk hangs. Gives the longest that one took. */
async function neighbour(socket: string, what: HangShape["what"]): Promise<number> {
  const end = Date.now() + HANG_MS;
  let longest = 0;
  while (Date.now() < end) {
    if (what === "disk") {
      const start = Date.now();
      // Its first bytes are on the disk that hangs.
      await output("nbdinfo", ["--no-content", `nbd+unix:///slow?socket=${socket}`]);
      await output("nbdcopy", ["--request-size=65536", `nbd+unix:///fast?socket=${socket}`, "null:"]);
      longest = Math.max(longest, Date.now() - start);
    }
    await sleep(Math.min(1000, Math.max(0, end - Date.now())));
  }
  if (longest > ANSWER_MAX_MS) throw new Error(`another client had to wait for ${longest} ms`);
  return longest;
}
