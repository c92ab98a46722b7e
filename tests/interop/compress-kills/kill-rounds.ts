import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Device, environmentFrom, isCevError } from "@cev/core";
import { NbdLayer } from "@cev/nbd";
import { Server } from "../src/cev.ts";
import { Random } from "../src/random.ts";
import { output } from "../src/run.ts";
import { BLOCK, BlockVersions } from "./block-versions.ts";

const MIB = 1_048_576;
const BLOCK_COUNT = 768;
/** The last blocks are those of qemu-io. */
const OWN_COUNT = 640;
const RUN_MAX = 12;
const WORKERS = 8;
/** Of either client, before the server is killed. */
export const WRITES_MIN = 20;
const CONNECT_TRIES_MAX = 100;
/** Commands that qemu-io is given: more than it gets through. */
const QEMU_COMMANDS = 4000;

export interface KillOptions {
  /** An empty one. */
  readonly folder: string;
  readonly killCount: number;
  readonly seed: number;
  /** What was not flushed is lost with the server, as in a power cut; else what it wrote is there. */
  readonly isVolatile: boolean;
  readonly chunkSize: number;
  /** The server is killed so long after the work began, at the most. */
  readonly workMsMax: number;
}

export interface KillFigures {
  writeCount: number;
  flushCount: number;
  /** Writes of qemu-io that were answered. */
  qemuCount: number;
  /** Blocks of which an answered write was lost, because no flush came after it. */
  lostCount: number;
}

/**
 * Serves a compressed device, writes to it with a client of eight requests at a time and with qemu-io, kills the server with SIGKILL in the
 * middle, starts it anew and reads everything. Throws where a block holds what it may not. At the end nbdcopy copies it: the same bytes.
 */
export async function runKills(options: KillOptions): Promise<KillFigures> {
  const { folder, killCount, seed } = options;
  const random = new Random(seed);
  const socket = join(folder, "s");
  const stack = writeStack(options);
  const serve = (): Promise<Server> => {
    // Of one that was killed. That the new one listens is seen by its own.
    rmSync(socket, { force: true });
    return Server.onSocket(socket, [stack]);
  };
  const versions = new BlockVersions(BLOCK_COUNT);
  const figures: KillFigures = { writeCount: 0, flushCount: 0, qemuCount: 0, lostCount: 0 };
  let server = await serve();
  try {
    for (let kill = 0; kill < killCount; kill++) {
      const device = await connect(socket);
      figures.lostCount += versions.settle(await device.read(0, BLOCK_COUNT * BLOCK));
      const qemu = new QemuIo(socket, versions, random);
      const busy = new Set<number>();
      const worker = (): Promise<void> => work(device, versions, random, { busy, figures });
      const working = Promise.all(Array.from({ length: WORKERS }, worker));
      let isOver = false;
      const end = (): void => {
        isOver = true;
      };
      working.then(end, end);
      // However slow the machine is, there is something that could be lost.
      const enough = figures.writeCount + WRITES_MIN;
      while (figures.writeCount < enough || qemu.answeredCount < WRITES_MIN) {
        if (isOver || (qemu.hasEnded && qemu.answeredCount < WRITES_MIN)) {
          await server.kill();
          await working;
          throw new Error("the server, or qemu-io, ended before it was killed");
        }
        await sleep(5);
      }
      await sleep(random.below(options.workMsMax));
      await server.kill();
      await working;
      figures.qemuCount += await qemu.settle();
      await device.close().catch(onlyLost);
      server = await serve();
    }
    const device = await connect(socket);
    const contents = await device.read(0, BLOCK_COUNT * BLOCK);
    figures.lostCount += versions.settle(contents);
    await device.close();
    const copy = join(folder, "copy");
    await output("nbdcopy", [`nbd+unix:///?socket=${socket}`, copy]);
    if (Buffer.compare(readFileSync(copy).subarray(0, contents.length), contents) !== 0)
      throw new Error("nbdcopy reads something else");
  } finally {
    await server.kill();
  }
  return figures;
}

function writeStack({ folder, isVolatile, chunkSize, seed }: KillOptions): string {
  const image = join(folder, "image");
  writeFileSync(image, "");
  truncateSync(image, 16 * MIB);
  const stack = join(folder, "stack.json");
  const file = { driver: "@cev/hw-file", path: image };
  const cache = { driver: "@cev/test-kit/power-cut", lower: "file", seed };
  const compressed = {
    driver: "@cev/convert/compress",
    lower: isVolatile ? "cache" : "file",
    create: { chunkSize, size: Math.ceil((BLOCK_COUNT * BLOCK) / chunkSize) * chunkSize },
  };
  const devices = { file, ...(isVolatile && { cache }), compressed };
  writeFileSync(stack, JSON.stringify({ devices, exports: { compressed: "compressed" } }));
  return stack;
}

async function connect(socket: string): Promise<Device> {
  const environment = environmentFrom(globalThis);
  const options = { uri: `nbd+unix:///?socket=${socket}`, reconnectTimeoutMs: 0 };
  for (let tries = 1; ; tries++)
    try {
      return await Device.open(await NbdLayer.at(environment, options), environment);
    } catch (error) {
      // There is a moment at which the socket is there, and nobody listens yet.
      if (tries === CONNECT_TRIES_MAX) throw error;
      onlyLost(error);
      await sleep(50);
    }
}

interface Shared {
  /** Blocks that a write is under way to: which of two would be the later could not be said. */
  readonly busy: Set<number>;
  readonly figures: KillFigures;
}

/** Until the server is gone. */
async function work(
  device: Device,
  versions: BlockVersions,
  random: Random,
  { busy, figures }: Shared,
): Promise<void> {
  try {
    for (;;) {
      const kind = random.below(20);
      if (kind === 0) {
        const answered = versions.answered();
        await device.flush();
        versions.keep(answered);
        figures.flushCount++;
        continue;
      }
      const count = 1 + random.below(RUN_MAX);
      const block = random.below(OWN_COUNT - count + 1);
      const blocks = Array.from({ length: count }, (_, index) => block + index);
      if (blocks.some((each) => busy.has(each))) {
        await sleep(1);
        continue;
      }
      for (const each of blocks) busy.add(each);
      const data = versions.begin(block, count);
      await device.write(block * BLOCK, data, { fua: kind === 1 });
      versions.answer(block, count);
      if (kind === 1) versions.keepBlocks(block, count);
      for (const each of blocks) busy.delete(each);
      figures.writeCount++;
    }
  } catch (error) {
    onlyLost(error);
  }
}

function onlyLost(error: unknown): void {
  if (!isCevError(error) || error.code !== "CEV_DEVICE_LOST") throw error;
}

/** A program that writes and flushes one block after the other, and says what was answered. */
class QemuIo {
  readonly #versions: BlockVersions;
  readonly #commands: readonly QemuCommand[];
  readonly #ended: Promise<unknown>;
  hasEnded = false;
  #said = "";

  constructor(socket: string, versions: BlockVersions, random: Random) {
    this.#versions = versions;
    this.#commands = Array.from({ length: QEMU_COMMANDS }, (): QemuCommand => {
      const isDurable = random.below(10) === 0;
      const block = OWN_COUNT + random.below(BLOCK_COUNT - OWN_COUNT);
      return { block, byte: 1 + random.below(255), isDurable };
    });
    const child = spawn("qemu-io", ["-f", "raw", "-t", "writeback", `nbd+unix:///?socket=${socket}`], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#ended = once(child, "close").then(() => {
      this.hasEnded = true;
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    child.stdin.on("error", () => undefined);
    child.stdin.end(
      this.#commands
        .map(
          ({ block, byte, isDurable }) =>
            `write ${isDurable ? "-f " : ""}-P ${byte} ${block * BLOCK} ${BLOCK}\n`,
        )
        .join(""),
    );
  }

  /** Writes so far. */
  get answeredCount(): number {
    return this.#said.match(/wrote 4096\/4096 bytes/g)?.length ?? 0;
  }

  /** Waits for its end, and tells the versions what was answered. Returns how many writes were. */
  async settle(): Promise<number> {
    await this.#ended;
    const count = this.answeredCount;
    // One at a time: at the most one more was begun.
    for (const [index, { block, byte, isDurable }] of this.#commands.slice(0, count + 1).entries()) {
      this.#versions.beginPattern(block, byte);
      if (index === count) break;
      this.#versions.answer(block, 1);
      if (isDurable) this.#versions.keepBlocks(block, 1);
    }
    return count;
  }
}

interface QemuCommand {
  readonly block: number;
  readonly byte: number;
  readonly isDurable: boolean;
}
