import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../src/random.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import type { FaultCase, Setting } from "./fault-case.ts";
import { FIO_LENGTH, chooseFioPass, verify, writeAndVerify } from "./fio.ts";
import { HOT_LENGTH, HotSpot } from "./hot-spot.ts";
import { MemoryLog } from "./memory-log.ts";
import { MortalServer } from "./mortal-server.ts";
import { writeStack } from "./stack-file.ts";

/** From a part of a message to so many bytes, powers of two. */
const LENGTH_BITS_MAX = 24;

/** Lines that break all the time, while the server lives on: also its memory is looked at. */
export function lineCutCases(): FaultCase[] {
  return [1, 4].map((connections) => ({
    name: `line-cuts ${connections === 1 ? "one-connection" : "four-connections"}`,
    run: async (setting) => work(setting, connections),
  }));
}

async function work({ folder, cev, seconds, seed }: Setting, connections: number): Promise<string> {
  const random = new Random(seed);
  const file = join(folder, "disk");
  writeFileSync(file, "");
  truncateSync(file, FIO_LENGTH + HOT_LENGTH);
  const [socket, line, front] = [join(folder, "a"), join(folder, "l"), join(folder, "b")] as const;
  await using server = new MortalServer([cev, "serve", file, "--socket", socket], socket);
  await server.start();
  await using proxy = await CuttingProxy.between(line, socket);
  const client = { uri: `nbd+unix:///?socket=${line}`, connections };
  await using above = new MortalServer(
    [cev, "serve", writeStack(folder, { disk: client }), "--socket", front],
    front,
  );
  await above.start();
  const hot = await HotSpot.start(client, new Random(seed + 1), FIO_LENGTH);
  using clientMemory = new MemoryLog("client", above.pid);
  using serverMemory = new MemoryLog("server", server.pid);
  const planNext = (): void => {
    const length = 1 + random.below(2 ** random.below(LENGTH_BITS_MAX + 1));
    const direction = random.pick(["toServer", "toClient"] as const);
    proxy.cutAfter(length, direction, random.pick(["destroy", "end"] as const), planNext);
  };
  planNext();
  const end = Date.now() + seconds * 1000;
  let bytes = 0;
  let passes = 0;
  let isDone = false;
  try {
    do {
      const pass = chooseFioPass(random);
      bytes += await writeAndVerify({ socket: front }, pass, { endsWithFlush: true });
      bytes += await verify({ file }, pass);
      passes++;
    } while (Date.now() < end);
    isDone = true;
    await hot.stop();
    const mib = Math.round(bytes / 2 ** 20);
    return `${proxy.cutCount} cuts, ${passes} passes, ${mib} MiB verified, ${hot.requestCount} requests to the same blocks, ${clientMemory.figures()}, ${serverMemory.figures()}`;
  } finally {
    proxy.forgetPlan();
    if (!isDone) await Promise.allSettled([hot.stop()]);
  }
}
