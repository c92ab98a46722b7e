import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeProgram } from "../black-box/servers.ts";
import { output } from "../src/run.ts";
import { Random } from "../src/random.ts";
import type { FaultCase, Setting } from "./fault-case.ts";
import { FIO_LENGTH, chooseFioPass, verify, writeAndVerify } from "./fio.ts";
import { MemoryLog } from "./memory-log.ts";
import { MortalServer } from "./mortal-server.ts";

const MEMBER_LENGTH = FIO_LENGTH + 16 * 1_048_576;
/** Longer than the array waits for a member. */
const AWAY_MS = 1500;

/** A RAID1 over two servers, of which one is killed and later comes back. */
export function raidCases(): FaultCase[] {
  return [{ name: "raid1", run: work }];
}

async function work({ folder, cev, seconds, seed }: Setting): Promise<string> {
  const random = new Random(seed);
  const files = ["m0", "m1"].map((name) => join(folder, name));
  await output(cev, [
    ...["raid", "create", "data", "--level", "1", "--bitmap", "internal"],
    ...["--make-images", `${MEMBER_LENGTH / 1024}K`, ...files],
  ]);
  const sockets = ["a0", "a1"].map((name) => join(folder, name));
  const uris = sockets.map((socket) => `nbd+unix:///?socket=${socket}`);
  const servers = files.map(
    (file, index) =>
      new MortalServer(
        // The member, and not the array that is found in it.
        [cev, "serve", file, "--device", `m${index}`, "--socket", sockets[index]!],
        sockets[index]!,
      ),
  );
  await using kept = servers[0]!;
  await using server = servers[1]!;
  await Promise.all([kept.start(), server.start()]);
  const front = join(folder, "b");
  const program = fileURLToPath(new URL("raid-server.ts", import.meta.url));
  await using above = new MortalServer([writeProgram(join(folder, "raid"), program), ...uris, front], front);
  await above.start();
  using memory = new MemoryLog("client", above.pid);
  const end = Date.now() + seconds * 1000;
  let bytes = 0;
  let rounds = 0;
  let pass = chooseFioPass(random);
  const said = (text: string): number => above.said().split(text).length - 1;
  do {
    pass = chooseFioPass(random);
    const written = writeAndVerify({ socket: front }, pass);
    written.catch(() => undefined); // It is waited for below.
    await sleep(random.below(400));
    await server.kill();
    await sleep(AWAY_MS);
    // Written without it, whatever was under way when it went.
    bytes += await written;
    await server.start();
    // It comes back under a load, too.
    const next = chooseFioPass(random);
    const again = writeAndVerify({ socket: front }, next);
    again.catch(() => undefined);
    await sleep(random.below(100));
    above.signal("SIGUSR2");
    bytes += await again;
    pass = next;
    await until(
      () => said("re-added") > rounds,
      60_000,
      () => `it was not re-added: ${above.said()}`,
    );
    rounds++;
  } while (Date.now() < end);
  bytes += await verify({ socket: front }, pass);
  const figures = memory.figures();
  await above[Symbol.asyncDispose]();
  await Promise.all([kept[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
  const checked = await output(cev, ["raid", "check", ...files]);
  if (!checked.includes("everything matches")) throw new Error(checked);
  const [one, other] = files.map((file) => readFileSync(file).subarray(-FIO_LENGTH));
  if (!one!.equals(other!)) throw new Error("the members differ");
  return `${rounds} times without a member and back, ${Math.round(bytes / 2 ** 20)} MiB verified, members equal, ${figures}`;
}

async function until(isThere: () => boolean, timeoutMs: number, why: () => string): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!isThere()) {
    if (Date.now() > end) throw new Error(why());
    await sleep(20);
  }
}
