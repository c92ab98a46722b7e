import { EventState, Io, Op, closeTree, environmentFrom, isCevError, openTree, opName } from "@cev/core";
import type { Environment, Layer, LayerDescription } from "@cev/core";
import { CheckingLayer } from "../layers/checking-layer.ts";
import { FaultLayer } from "../layers/fault-layer.ts";
import { MemoryLayer } from "../layers/memory-layer.ts";
import type { CompletionMode } from "../layers/memory-layer.ts";
import { PowerCutLayer } from "../layers/power-cut-layer.ts";
import { ModelDevice } from "../model-device.ts";
import { Random } from "../random.ts";
import { SimulatedWorld } from "../simulated-world.ts";
import { BenchDisk } from "./bench-disk.ts";
import { deadlineMsOf, expectThat, fail } from "./subject.ts";
import type { LowerOptions, TestBench } from "./subject.ts";
import type { Kept, Tested } from "./tested.ts";

/** Settings of a `Bench`. */
export interface BenchOptions {
  readonly seed?: number;
  /** The disks below: plain memory (default), or with a cache that a power cut loses. */
  readonly disks?: "memory" | "powerCut";
  /** Of plain disks. Default "atOnce". */
  readonly completion?: CompletionMode;
  /** The disks take no longer requests, whatever was asked for. Bytes. */
  readonly ioLengthMax?: number;
  /** What it begins from, instead of empty disks. */
  readonly kept?: Kept | null;
  /** Fails that request to that lower, counted from its making on; the first is 1. */
  readonly faultAt?: { readonly lower: number; readonly count: number };
  /** False: the test opens and closes the layer itself. */
  readonly isOpened?: boolean;
  /** False: of long writes the disks compare their ends alone with what they should be. Default true. */
  readonly isThorough?: boolean;
  /** Puts something between the layer and each disk, or over the layer. */
  readonly wrap?: (layer: Layer, environment: Environment) => Layer;
}

/** A disk below the layer under test, with what makes it fail and what watches it. */
export interface LowerDisk {
  readonly disk: MemoryLayer | PowerCutLayer;
  readonly fault: FaultLayer;
  readonly checking: CheckingLayer;
}

/** Settings of one request. */
export interface RequestSettings {
  readonly data?: Uint8Array;
  readonly dataOffset?: number;
  readonly flags?: number;
}

const TURNS_AT_ONCE = 8;
// Promises alone need turns too, but not that many.
const IDLE_TURNS_MAX = 10_000;
const SIZE_MAX = 64 * 1024 * 1024;

/** One layer under test, between checking layers, with disks whose behaviour the test controls. */
export class Bench implements TestBench {
  readonly random: Random;
  readonly lowers: LowerDisk[] = [];
  isFirst = true;
  readonly #tested: Tested;
  readonly #options: BenchOptions;
  readonly #endings: (() => void | Promise<void>)[] = [];
  readonly #images: Uint8Array[] = [];
  readonly #asked: LowerOptions[] = [];
  #world: SimulatedWorld | null = null;
  #environment: Environment;
  #nextLower = 0;
  #hasFaulted = false;
  #layer: Layer | null = null;
  #top: CheckingLayer | null = null;

  private constructor(tested: Tested, options: BenchOptions) {
    this.#tested = tested;
    this.#options = options;
    this.random = new Random((options.seed ?? 1) + (tested.subject.seed ?? 0));
    this.#environment = this.#newEnvironment();
    if (options.kept === undefined || options.kept === null) return;
    this.isFirst = false;
    this.#images.push(...options.kept.images);
    this.#asked.push(...options.kept.asked);
  }

  /** Runs a test over an open layer, closes it and checks that the contract was kept. */
  static async run(
    tested: Tested,
    options: BenchOptions,
    test: (bench: Bench) => Promise<void>,
  ): Promise<void> {
    const bench = new Bench(tested, options);
    try {
      await bench.#driven(async () => {
        const { isOpened = true } = options;
        if (isOpened) await bench.start();
        await test(bench);
        if (isOpened) await bench.stop();
      });
    } finally {
      for (const run of bench.#endings.reverse()) await run();
    }
  }

  /** What a layer that was made, worked on by `prepare` and closed leaves; null where it would not be the same made over that. */
  static async keep(
    tested: Tested,
    options: BenchOptions,
    prepare: (bench: Bench) => Promise<void>,
  ): Promise<Kept | null> {
    let left: Bench | null = null;
    await Bench.run(tested, options, (bench) => {
      left = bench;
      return prepare(bench);
    });
    const bench = left as Bench | null;
    if (bench === null || tested.manifest.isPersistent === false) return null;
    return { images: bench.lowers.map(contentsOf), asked: bench.#asked };
  }

  /** Of the layer as it was made last: what a power cut left behind keeps its own. */
  get environment(): Environment {
    return this.#environment;
  }

  /** The layer under test itself. */
  get layer(): Layer {
    return this.#layer ?? fail("the layer is not open");
  }

  /** Where requests go in: the checking layer over the layer under test. */
  get top(): CheckingLayer {
    return this.#top ?? fail("the layer is not open");
  }

  get size(): number {
    return this.top.limits.size;
  }

  /** What a power cut may split: blocks, or parts of them where the disks write less than a block at once. */
  get tearLength(): number {
    const lengths = this.lowers.map(({ disk }) =>
      disk instanceof PowerCutLayer ? disk.atomicLength : Infinity,
    );
    return Math.min(this.blockSize, ...lengths);
  }

  get blockSize(): number {
    return this.top.limits.logicalBlockSize;
  }

  /** The longest request that is sensible here, in whole blocks. */
  get lengthMax(): number {
    const { ioLengthMax } = this.top.limits;
    const length = Math.min(this.size, ioLengthMax);
    return length - (length % this.blockSize);
  }

  lower(options: LowerOptions): Layer {
    const index = this.#nextLower++;
    const contents = this.#images[index];
    const common = { ...this.#short(options), ...(contents === undefined ? {} : { contents }) };
    const seed = this.random.next();
    const disk =
      this.#options.disks === "powerCut"
        ? new PowerCutLayer(this.environment, { ...common, completion: "later" })
        : new MemoryLayer(this.environment, {
            ...common,
            seed,
            completion: this.#options.completion ?? "atOnce",
          });
    const fault = new FaultLayer(disk, this.environment);
    const { faultAt } = this.#options;
    if (faultAt?.lower === index && !this.#hasFaulted) fault.failNth(faultAt.count);
    const checking = new BenchDisk(fault, index, { isThorough: this.#options.isThorough ?? true });
    this.#asked[index] = options;
    this.lowers[index] = { disk, fault, checking };
    return this.#options.wrap?.(checking, this.environment) ?? checking;
  }

  lowersAgain(): readonly Layer[] {
    return [...this.#asked].map((options) => this.lower(options));
  }

  onEnd(run: () => void | Promise<void>): void {
    this.#endings.push(run);
  }

  /** Makes and opens the layer, from a description where there is one. */
  async start(description?: LayerDescription): Promise<void> {
    this.#nextLower = 0;
    this.lowers.length = 0;
    if (this.#layer !== null) this.#environment = this.#newEnvironment();
    const layer = await this.inTime(this.#make(description), "was not made");
    this.#layer = layer;
    const top = new CheckingLayer(this.#options.wrap?.(layer, this.environment) ?? layer);
    await this.inTime(openTree(top), "did not open");
    this.#top = top;
    expectThat(this.size <= SIZE_MAX, `the suite takes layers of at most ${SIZE_MAX} bytes`);
    const atomicLength =
      this.#tested.manifest.atomicLength ??
      Math.max(512, ...this.lowers.map(({ disk }) => disk.limits.physicalBlockSize));
    for (const { disk } of this.lowers) if (disk instanceof PowerCutLayer) disk.atomicLength = atomicLength;
  }

  /** Closes the layer. Returns what it said; what is left below is not looked at. */
  async close(): Promise<Error | null> {
    const closing = closeTree(this.top).then(
      () => null,
      (error: unknown) => error as Error,
    );
    const error = await this.inTime(closing, "did not close");
    this.#top = null;
    return error;
  }

  /** Closes the layer; nothing of it may be left below. */
  async stop(): Promise<void> {
    const { top } = this;
    const error = await this.close();
    if (error !== null) throw error;
    top.check();
    this.checkContract();
    this.checkLeft("after close");
    const { buffers } = this.environment;
    if (buffers.bytesLent === 0) this.#tested.givePool(buffers);
  }

  /** Closes the layer and makes it again over what it left, from a description where there is one. */
  async reopen(description?: LayerDescription): Promise<void> {
    await this.stop();
    await this.startAgain(description);
  }

  /** The power goes on all disks; then the layer is made again over what is left. */
  async crash(): Promise<void> {
    for (const { disk } of this.lowers) if (disk instanceof PowerCutLayer) disk.cut(this.random);
    this.checkContract();
    await this.startAgain();
  }

  /** Makes the layer again over what is on its disks. */
  async startAgain(description?: LayerDescription): Promise<void> {
    this.lowers.forEach((lower, index) => void (this.#images[index] = contentsOf(lower)));
    this.isFirst = false;
    this.#hasFaulted = true;
    await this.start(description);
  }

  /** Throws when the layer, or a disk below, broke the contract. */
  checkContract(): void {
    this.#top?.check();
    for (const { checking } of this.lowers) checking.check();
  }

  /** Throws when something of the layer is left, which is closed or did not open. */
  checkLeft(when: string): void {
    this.lowers.forEach(({ checking }, index) => {
      expectThat(checking.claims.count === 0, `lower ${index} is still claimed ${when}`);
      expectThat(checking.inFlightCount === 0, `a request to lower ${index} never completed`);
    });
    // A layer without lowers may keep its contents in the pool.
    const { bytesLent } = this.environment.buffers;
    expectThat(
      this.lowers.length === 0 || bytesLent === 0,
      `${bytesLent} bytes of the buffer pool were not given back`,
    );
  }

  /** Submits a request and waits for its end. Never rejects: the outcome is in the `Io`. */
  run(op: Op, offset: number, length: number, settings: RequestSettings = {}): Promise<Io> {
    return this.ended(this.submit(op, offset, length, settings));
  }

  /** Submits a request. A read without `data` gets fresh memory. */
  submit(op: Op, offset: number, length: number, settings: RequestSettings = {}): Io {
    const data = settings.data ?? (op === Op.read ? new Uint8Array(length).fill(0xaa) : null);
    const io = new Io(this.environment.runQueue);
    io.prepare(op, offset, length, data, settings.dataOffset ?? 0, settings.flags ?? 0);
    this.top.submit(io);
    return io;
  }

  /** Waits for the end of a request. Throws when it does not come. */
  ended(io: Io): Promise<Io> {
    if (io.state === EventState.done) return Promise.resolve(io);
    const done = new Promise<Io>((resolve) => void io.wait(() => resolve(io), null));
    return this.inTime(done, `(${opName(io.op)} of ${io.length} bytes at ${io.offset}) did not complete`);
  }

  /** Runs a request that must succeed. */
  async succeed(op: Op, offset: number, length: number, settings: RequestSettings = {}): Promise<Io> {
    const io = await this.run(op, offset, length, settings);
    if (io.error !== null) throw unexpected(io);
    return io;
  }

  /** Throws when it takes too long; `what` says what then did not happen. */
  inTime<T>(promise: Promise<T>, what: string): Promise<T> {
    const deadlineMs = deadlineMsOf(this.#tested.subject);
    return new Promise((resolve, reject) => {
      const timer = this.environment.clock.after(deadlineMs, () =>
        reject(new Error(`${this.#tested.subject.name} ${what} within ${deadlineMs} ms`)),
      );
      void promise.finally(() => timer.cancel()).then(resolve, reject);
    });
  }

  /** Waits until something happened that `isEnough` accepts, or nothing can be expected to happen any more. */
  async turns(isEnough: () => boolean): Promise<void> {
    for (let count = 0; count < 20 && !isEnough(); count++)
      await new Promise<void>((resolve) => this.environment.later(resolve));
    // Work that runs elsewhere (threads, the system) takes its time.
    for (let count = 0; count < 5 && !isEnough(); count++)
      await new Promise<void>((resolve) => void this.environment.clock.after(1, resolve));
  }

  /** Waits for something that must happen. Throws when it takes too long. */
  async until(hasHappened: () => boolean, what: string): Promise<void> {
    let isOver = false;
    const waiting = (async () => {
      while (!hasHappened() && !isOver) await this.turns(hasHappened);
    })();
    await this.inTime(waiting, what).finally(() => (isOver = true));
  }

  /** Reads everything. */
  async readAll(): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.size);
    const step = Math.min(this.lengthMax, Math.max(this.blockSize, 1024 * 1024));
    for (let at = 0; at < this.size; at += step) {
      const length = Math.min(step, this.size - at);
      await this.succeed(Op.read, at, length, { data: bytes, dataOffset: at });
    }
    return bytes;
  }

  /** A model that knows what the device holds now. */
  async learn(): Promise<ModelDevice> {
    const model = new ModelDevice(this.size);
    model.learn(0, await this.readAll());
    return model;
  }

  /** Reads everything and compares it. */
  async compare(model: ModelDevice, when: string): Promise<void> {
    const at = model.firstDifference(0, await this.readAll());
    expectThat(at < 0, `${when} byte ${at} is not what it should be`);
  }

  async #make(description: LayerDescription | undefined): Promise<Layer> {
    if (description === undefined) return this.#tested.subject.create(this);
    return this.#tested.manifest.reopen?.(description, this) ?? fail("the manifest has no reopen");
  }

  #short(options: LowerOptions): LowerOptions {
    const { ioLengthMax } = this.#options;
    if (ioLengthMax === undefined) return options;
    const { limits = {} } = options;
    return {
      ...options,
      limits: { ...limits, ioLengthMax: Math.min(limits.ioLengthMax ?? Infinity, ioLengthMax) },
    };
  }

  #newEnvironment(): Environment {
    const buffers = this.#tested.takePool();
    if (this.#tested.manifest.world !== "simulated") return environmentFrom(globalThis, { buffers });
    this.#world = new SimulatedWorld({ seed: this.random.next(), order: "fifo", buffers });
    return this.#world.environment;
  }

  /** Keeps the simulated world going while something runs in it. */
  async #driven(run: () => Promise<void>): Promise<void> {
    let isOver = false;
    const running = run().finally(() => (isOver = true));
    running.catch(() => undefined);
    for (
      let idleCount = 0;
      this.#world !== null && !isOver;
      idleCount = this.#world.isIdle ? idleCount + 1 : 0
    ) {
      await this.#world.turns(TURNS_AT_ONCE);
      if (idleCount > IDLE_TURNS_MAX)
        fail("nothing is left to do, and something that was waited for has not happened");
    }
    return running;
  }
}

/** A copy of what a disk holds. */
function contentsOf({ disk }: LowerDisk): Uint8Array {
  return disk instanceof PowerCutLayer ? disk.contents : disk.bytes.slice();
}

/** A finding: a request failed that should not have. */
export function unexpected(io: Io): Error {
  const { error } = io;
  const what = `${opName(io.op)} of ${io.length} bytes at ${io.offset}`;
  const code = isCevError(error) ? error.code : "no code";
  return new Error(`${what} failed: ${code}, ${error?.message ?? "no message"}`);
}
