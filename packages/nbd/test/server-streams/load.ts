import { Buffer } from "node:buffer";
import { Io, IoFlag, Op, opName } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { Chance } from "../client-streams/chance.ts";
import { DISK_SIZE } from "./script.ts";

const ARENA = 262_144;
const GAP = 64;
const FREE = 0xa5;
const UNTOUCHED = Buffer.alloc(ARENA, FREE);

/** A request, and how it went. */
interface Asked {
  readonly io: Io;
  endCount: number;
}

/**
 * Requests of all kinds, in one piece of memory: what lies between those of two requests, and the memory of one that has ended,
 * belongs to nobody, and nobody may write there.
 */
export class Load {
  readonly #environment: Environment;
  readonly #layer: Layer;
  readonly #chance: Chance;
  readonly #arena: Buffer;
  readonly #asked: Asked[] = [];
  #used = 0;
  #left: number;
  runsUnderWay = 0;
  doneCount = 0;
  failedCount = 0;
  /** Looks at what a read has brought. */
  readonly #onRead: (offset: number, length: number, data: Buffer) => void;
  /** The first thing that is not as it should be. */
  problem: string | null = null;

  constructor(
    environment: Environment,
    layer: Layer,
    arena: Buffer,
    chance: Chance,
    onRead: (offset: number, length: number, data: Buffer) => void,
  ) {
    this.#environment = environment;
    this.#layer = layer;
    this.#chance = chance;
    this.#arena = arena;
    this.#onRead = onRead;
    this.#left = 1 + chance.below(14);
  }

  static arena(): Buffer {
    return Buffer.from(UNTOUCHED);
  }

  get isOver(): boolean {
    return this.#left === 0 && this.runsUnderWay === 0 && this.#asked.every(({ endCount }) => endCount > 0);
  }

  get askedCount(): number {
    return this.#asked.length;
  }

  /** What has not ended, for people. */
  get waiting(): string {
    const open = this.#asked.filter(({ endCount }) => endCount === 0).map(({ io }) => io);
    const told = open.map(
      (io) => `${opName(io.op)} ${io.offset}+${io.length}${io.isCancelRequested ? " (cancelled)" : ""}`,
    );
    return [...told, `${this.runsUnderWay} runs`].join(", ");
  }

  /** Asks for one more thing; false: that was all. */
  askOne(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    if (this.#chance.oneIn(8)) this.#askForRuns();
    else this.#submit();
    return true;
  }

  /** Somebody changes their mind. */
  cancelOne(): void {
    if (this.#asked.length > 0) this.#chance.pick(this.#asked).io.cancel();
  }

  /** After all have ended: what is wrong; null: nothing. */
  verdict(): string | null {
    if (this.problem !== null) return this.problem;
    const twice = this.#asked.find(({ endCount }) => endCount !== 1);
    if (twice !== undefined) return `a request ended ${twice.endCount} times`;
    if (this.#arena.compare(UNTOUCHED, 0, this.#used + GAP, 0, this.#used + GAP) === 0) return null;
    this.#arena.set(UNTOUCHED);
    return "memory was written that belongs to no request under way";
  }

  #submit(): void {
    const { limits } = this.#layer;
    const chance = this.#chance;
    const op = chance.pick([
      Op.read,
      Op.read,
      Op.read,
      Op.write,
      Op.write,
      Op.flush,
      Op.discard,
      Op.writeZeroes,
    ]);
    const block = limits.logicalBlockSize;
    const blocks = Math.floor(Math.min(limits.size, DISK_SIZE) / block);
    if (blocks === 0) return;
    const start = chance.below(blocks);
    const lengthMax = Math.min(limits.ioLengthMax, chance.oneIn(4) ? 40_960 : 4096);
    const length =
      Math.min(Math.max(1, chance.below(Math.floor(lengthMax / block) + 1)), blocks - start) * block;
    if (length > limits.ioLengthMax || this.#used + length + 2 * GAP > ARENA) return;
    const hasData = op === Op.read || op === Op.write;
    const at = this.#used + GAP;
    const data = this.#arena.subarray(at, at + length);
    if (hasData) this.#used = at + length;
    if (op === Op.write) data.fill(chance.below(256));
    const flags = op !== Op.read && op !== Op.flush && chance.oneIn(4) ? IoFlag.fua : 0;
    const io = new Io(this.#environment.runQueue).prepare(
      op,
      op === Op.flush ? 0 : start * block,
      op === Op.flush ? 0 : length,
      hasData ? this.#arena : null,
      hasData ? at : 0,
      flags,
    );
    const asked: Asked = { io, endCount: 0 };
    this.#asked.push(asked);
    const { offset } = io;
    io.setOwner(() => {
      asked.endCount++;
      if (io.error === null) this.doneCount++;
      else this.failedCount++;
      if (io.error?.code === "CEV_PROGRAM") this.problem ??= io.error.message;
      if (op === Op.read && io.error === null) this.#onRead(offset, length, data);
      if (io.offset !== offset || !(io.transferred >= 0 && io.transferred <= io.length))
        this.problem ??= "a request came back changed";
      if (hasData) data.fill(FREE);
      if (chance.oneIn(4)) this.askOne();
    }, null);
    this.#layer.submit(io);
  }

  #askForRuns(): void {
    const { size, logicalBlockSize } = this.#layer.limits;
    const blocks = Math.floor(Math.min(size, DISK_SIZE) / logicalBlockSize);
    if (blocks === 0) return;
    const start = this.#chance.below(blocks);
    const length = (1 + this.#chance.below(blocks - start)) * logicalBlockSize;
    const countMax = 1 + this.#chance.below(4);
    this.runsUnderWay++;
    void Promise.resolve(this.#layer.runs!(start * logicalBlockSize, length, countMax)).then((runs) => {
      this.runsUnderWay--;
      const isSound = runs.length > 0 && runs.length <= countMax && runs.every((run) => run.length > 0);
      const sum = runs.reduce((total, run) => total + run.length, 0);
      if (!isSound || start * logicalBlockSize + sum > size)
        this.problem ??= "runs of no length, too many, or past the end";
    });
  }
}
