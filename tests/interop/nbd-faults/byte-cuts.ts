import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { NbdLayer, NbdServer } from "@cev/nbd";
import { PowerCutLayer, Random as Chance } from "@cev/test-kit";
import { Random } from "../src/random.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import type { Cut, Direction } from "./cutting-proxy.ts";
import type { FaultCase, Setting } from "./fault-case.ts";

const BLOCK = 512;
const BLOCKS = 16;
const WORKERS = 3;
const ROUNDS = 7;
const RUN_MAX_MS = 20_000;

/** What breaks with the line: nothing else, or the server's disk, which loses what was not flushed. */
type Breakage = Cut | "power";
const BREAKAGES: readonly Breakage[] = ["destroy", "power", "end"];

/** The byte after which a line breaks, and of what. */
interface Break {
  readonly direction: Direction;
  readonly length: number;
  readonly breakage: Breakage;
}

interface Outcome {
  readonly lengths: Readonly<Record<Direction, number>>;
  readonly cutCount: number;
}

/** A little work over a line that breaks after each byte in turn, and over one that breaks again while the client comes back. */
export function byteCutCases(): FaultCase[] {
  return [1, 3].flatMap((connections) => {
    const name = connections === 1 ? "one-connection" : "three-connections";
    return [
      { name: `byte-cuts ${name}`, run: async (setting: Setting) => cutOnce(setting, connections) },
      { name: `byte-cuts-twice ${name}`, run: async (setting: Setting) => cutTwice(setting, connections) },
    ];
  });
}

/** After every byte of a run, in both directions; then with other work, as long as there is time. */
async function cutOnce({ folder, seconds, seed }: Setting, connections: number): Promise<string> {
  const end = Date.now() + seconds * 1000;
  let runs = 0;
  let cuts = 0;
  let whole = 0;
  for (let round = 0; round === 0 || Date.now() < end; round++) {
    const run = { folder, connections, seed: seed + round };
    const { lengths } = await work(run, []);
    for (const direction of ["toServer", "toClient"] as const) {
      for (let length = 0; length < lengths[direction]; length++) {
        if (round > 0 && Date.now() > end) break;
        const breakage = BREAKAGES[(length + round) % BREAKAGES.length]!;
        const outcome = await work(run, [{ direction, length, breakage }]);
        runs++;
        cuts += outcome.cutCount;
      }
    }
    if (round === 0) whole = runs;
  }
  return `${cuts} cuts in ${runs} runs, the first ${whole} after each byte that goes over the line`;
}

/** The line breaks somewhere, and again after every byte of coming back: handshake, what is written again, what was under way. */
async function cutTwice({ folder, seconds, seed }: Setting, connections: number): Promise<string> {
  const random = new Random(seed);
  const end = Date.now() + seconds * 1000;
  let runs = 0;
  let cuts = 0;
  let whole = 0;
  for (let round = 0; round === 0 || Date.now() < end; round++) {
    const run = { folder, connections, seed: seed + round };
    const { lengths } = await work(run, []);
    for (const direction of ["toServer", "toClient"] as const) {
      for (let length = 0; length < COMEBACK_LENGTH * connections; length++) {
        if (round > 0 && Date.now() > end) break;
        const first = random.pick(["toServer", "toClient"] as const);
        const outcome = await work(run, [
          { direction: first, length: random.below(lengths[first]), breakage: random.pick(BREAKAGES) },
          { direction, length, breakage: random.pick(BREAKAGES) },
        ]);
        runs++;
        cuts += outcome.cutCount;
      }
    }
    if (round === 0) whole = runs;
  }
  return `${cuts} cuts in ${runs} runs, the second of the first ${whole} after each byte of coming back`;
}

/** Bytes of a handshake in either direction, and of the first requests behind it. */
const COMEBACK_LENGTH = 1200;

interface Run {
  readonly folder: string;
  readonly connections: number;
  readonly seed: number;
}

async function work(run: Run, breaks: readonly Break[]): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing happens for ${RUN_MAX_MS} ms`)), RUN_MAX_MS);
  });
  try {
    return await Promise.race([workNow(run, breaks), late]);
  } catch (error) {
    throw new Error(`seed ${run.seed}, ${JSON.stringify(breaks)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function workNow({ folder, connections, seed }: Run, breaks: readonly Break[]): Promise<Outcome> {
  const environment = environmentFrom(globalThis);
  const disk = new PowerCutLayer(environment, { size: BLOCK * BLOCKS, completion: "later" });
  const chance = new Chance(seed);
  const [socket, line] = [join(folder, "s"), join(folder, "l")] as const;
  await using below = await Device.open(disk, environment);
  await using server = new NbdServer({ environment, exports: [{ name: "disk", device: below }] });
  await server.listen({ path: socket });
  await using proxy = await CuttingProxy.between(line, socket);
  const uri = `nbd+unix:///?socket=${line}`;
  const layer = await NbdLayer.at(environment, { uri, connections, busyPollUs: 0 });
  const device = await Device.open(layer, environment);
  const before = { ...proxy.lengths };
  const plan = (at: number): void => {
    const one = breaks[at];
    if (one === undefined) return;
    const how = one.breakage === "power" ? "destroy" : one.breakage;
    proxy.cutAfter(one.length, one.direction, how, () => {
      if (one.breakage === "power") disk.cut(chance);
      plan(at + 1);
    });
  };
  plan(0);
  const history = new History();
  await Promise.all(
    Array.from({ length: WORKERS }, async (_, index) => worker(device, history, index, seed)),
  );
  proxy.forgetPlan();
  const { toServer, toClient } = proxy.lengths;
  history.check(await device.read(0, BLOCK * BLOCKS), "at the end");
  await device.close();
  disk.cut(chance);
  history.checkDurable(disk.contents);
  return {
    lengths: { toServer: toServer - before.toServer, toClient: toClient - before.toClient },
    cutCount: proxy.cutCount,
  };
}

/** What each block holds, and what at least has to survive. */
class History {
  readonly written: number[][] = Array.from({ length: BLOCKS }, () => [0]);
  readonly durable: number[] = Array.from({ length: BLOCKS }, () => 0);
  lastVersion = 0;

  newest(block: number): number {
    return this.written[block]!.length - 1;
  }

  check(bytes: Uint8Array, where: string, first = 0): void {
    for (let at = 0; at < bytes.length; at += BLOCK) {
      const block = first + at / BLOCK;
      const found = versionOf(bytes.subarray(at, at + BLOCK));
      const expected = this.written[block]!.at(-1);
      if (found !== expected)
        throw new Error(
          `${where}: block ${block} holds version ${found}, and version ${expected} was answered`,
        );
    }
  }

  checkDurable(bytes: Uint8Array): void {
    for (let block = 0; block < BLOCKS; block++) {
      const found = versionOf(bytes.subarray(block * BLOCK, (block + 1) * BLOCK));
      if (!this.written[block]!.slice(this.durable[block]).includes(found))
        throw new Error(
          `after a power cut block ${block} holds version ${found}, older than what was flushed`,
        );
    }
  }
}

function versionOf(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.slice().buffer);
  if (words.some((word) => word !== words[0])) throw new Error("a block is of two writes");
  return words[0]!;
}

/** Each works on blocks of its own, so that what it does is the same in every run. */
async function worker(device: Device, history: History, index: number, seed: number): Promise<void> {
  const random = new Random(seed * WORKERS + index);
  const mine = Math.floor(BLOCKS / WORKERS);
  for (let round = 0; round < ROUNDS; round++) {
    const count = 1 + random.below(2);
    const block = index * mine + random.below(mine - count + 1);
    const offset = block * BLOCK;
    const choice = random.below(10);
    if (choice < 5) {
      await write(device, history, { block, count, isDurable: choice === 0 });
    } else if (choice < 6) {
      await device.writeZeroes(offset, count * BLOCK);
      for (let at = block; at < block + count; at++) history.written[at]!.push(0);
    } else if (choice < 8) {
      history.check(await device.read(offset, count * BLOCK), "a read", block);
    } else {
      const newest = Array.from({ length: BLOCKS }, (_, at) => history.newest(at));
      await device.flush();
      for (const [at, version] of newest.entries())
        history.durable[at] = Math.max(history.durable[at]!, version);
    }
  }
}

async function write(
  device: Device,
  history: History,
  {
    block,
    count,
    isDurable,
  }: { readonly block: number; readonly count: number; readonly isDurable: boolean },
): Promise<void> {
  const bytes = new Uint8Array(count * BLOCK);
  const version = ++history.lastVersion;
  new Uint32Array(bytes.buffer).fill(version);
  const places = Array.from(
    { length: count },
    (_, index) => history.written[block + index]!.push(version) - 1,
  );
  await device.write(block * BLOCK, bytes, { fua: isDurable });
  if (isDurable) for (const [index, place] of places.entries()) history.durable[block + index] = place;
}
