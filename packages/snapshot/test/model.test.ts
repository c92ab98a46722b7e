import { Device, EventState, Io, Op, isCevError } from "@cev/core";
import type { Environment } from "@cev/core";
import { FaultLayer, MemoryLayer, ModelDevice, Random, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const BLOCK = 512;

interface Scene {
  readonly name: string;
  readonly originSize: number;
  readonly snapshots: readonly { readonly chunkSize: number; readonly size?: number }[];
  readonly storeSizes: readonly number[];
  /** Requests below fail at random. */
  readonly hasFaults?: boolean;
}

const SCENES: readonly Scene[] = [
  {
    name: "one snapshot",
    originSize: 64 * KIB,
    snapshots: [{ chunkSize: 4 * KIB }],
    storeSizes: [160 * KIB],
  },
  {
    name: "three snapshots of unlike chunks and sizes",
    originSize: 50 * KIB,
    snapshots: [{ chunkSize: 512 }, { chunkSize: 8 * KIB }, { chunkSize: 2 * KIB, size: 31 * KIB }],
    storeSizes: [120 * KIB, 128 * KIB, 96 * KIB],
  },
  {
    name: "two snapshots that overflow",
    originSize: 96 * KIB,
    snapshots: [{ chunkSize: 1 * KIB }, { chunkSize: 4 * KIB }],
    storeSizes: [40 * KIB, 60 * KIB],
  },
  {
    name: "two snapshots over disks that fail now and then",
    originSize: 64 * KIB,
    snapshots: [{ chunkSize: 2 * KIB }, { chunkSize: 4 * KIB }],
    storeSizes: [200 * KIB, 200 * KIB],
    hasFaults: true,
  },
];

/** One of the devices, and what it should hold. */
interface Subject {
  readonly device: Device;
  readonly model: ModelDevice;
  readonly isSnapshot: boolean;
  isLost: boolean;
}

interface Change {
  readonly io: Io;
  readonly subject: Subject;
  readonly wanted: Uint8Array;
}

class Run {
  readonly #scene: Scene;
  readonly #world: SimulatedWorld;
  readonly #random: Random;
  readonly #environment: Environment;
  readonly #disks: MemoryLayer[];
  readonly #faults: FaultLayer[];
  #subjects: Subject[] = [];

  constructor(scene: Scene, seed: number) {
    this.#scene = scene;
    this.#world = new SimulatedWorld({ seed });
    this.#random = new Random(seed + 77);
    const { environment } = this.#world;
    this.#environment = environment;
    this.#disks = [scene.originSize, ...scene.storeSizes].map(
      (size, index) => new MemoryLayer(environment, { size, completion: "random", seed: seed * 8 + index }),
    );
    this.#random.fill(this.#disks[0]!.bytes);
    this.#faults = this.#disks.map(
      (disk, index) => new FaultLayer(disk, environment, { seed: seed + index }),
    );
  }

  async go(rounds: number): Promise<void> {
    await this.#open(true);
    this.#armFaults();
    for (let round = 0; round < rounds; round++) await this.#round();
    for (const fault of this.#faults) fault.reset();
    await this.#compareAll();
    await this.#close();
    await this.#open(false);
    await this.#compareAll();
    await this.#close();
  }

  async #open(isFirst: boolean): Promise<void> {
    const [origin, ...stores] = this.#faults;
    const snapshots = this.#scene.snapshots.map((one, index) => ({ name: `s${index}`, ...one }));
    const opened = await this.#world.drive(
      openSnapshots({ environment: this.#environment, origin: origin!, stores, options: { snapshots } }),
    );
    const old = this.#subjects;
    this.#subjects = [];
    for (const [index, { layer, state }] of opened.entries()) {
      const before = old[index];
      if (before?.isLost === true) expect(state).toBe("invalid");
      if (state === "invalid") {
        expect(before?.isLost).toBe(true);
        continue;
      }
      const device = await this.#world.drive(Device.open(layer, this.#environment, { blockSize: BLOCK }));
      const model = isFirst ? new ModelDevice(device.size) : before!.model;
      if (isFirst) model.learn(0, this.#disks[0]!.bytes.subarray(0, device.size));
      this.#subjects.push({ device, model, isSnapshot: index > 0, isLost: false });
    }
  }

  async #close(): Promise<void> {
    for (const { device } of this.#subjects.toReversed())
      await this.#world.drive(device.close().catch(ignoreLost));
    expect(this.#environment.buffers.bytesLent).toBe(0);
    for (const disk of this.#disks) expect(disk.pending).toEqual([]);
  }

  /** Some requests below take much longer than others, so that everything overtakes everything. */
  #armFaults(): void {
    for (const fault of this.#faults) {
      fault.add({ fault: { kind: "delay", delayMs: 3 }, probability: 0.1 });
      fault.add({ fault: { kind: "delay", delayMs: 10 }, op: Op.read, probability: 0.1 });
      if (this.#scene.hasFaults !== true) continue;
      fault.add({ fault: { kind: "error", code: "CEV_MEDIUM" }, op: Op.read, probability: 0.02 });
      fault.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.write, probability: 0.02 });
      fault.add({ fault: { kind: "errorAfter", code: "CEV_IO" }, op: Op.write, probability: 0.02 });
      fault.add({ fault: { kind: "half", code: "CEV_IO" }, op: Op.write, probability: 0.01 });
    }
  }

  /** Requests to all devices at once: those to one device do not touch one another, those to different ones do. */
  async #round(): Promise<void> {
    const changes: Change[] = [];
    for (const subject of this.#subjects) {
      const count = this.#random.between(0, 4);
      const taken: { offset: number; end: number }[] = [];
      for (let index = 0; index < count; index++) {
        const range = this.#range(subject.device.size);
        if (taken.some(({ offset, end }) => range.offset < end && offset < range.offset + range.length))
          continue;
        taken.push({ offset: range.offset, end: range.offset + range.length });
        changes.push(this.#prepare(subject, range.offset, range.length));
      }
    }
    for (const { io, subject } of this.#random.shuffled(changes)) subject.device.submit(io);
    await this.#world.run();
    for (const change of changes) await this.#judge(change);
  }

  #range(size: number): { offset: number; length: number } {
    const blocks = size / BLOCK;
    const length = Math.min(
      blocks,
      this.#random.chance(0.2) ? this.#random.between(1, 64) : this.#random.between(1, 12),
    );
    return { offset: this.#random.between(0, blocks - length) * BLOCK, length: length * BLOCK };
  }

  #prepare(subject: Subject, offset: number, length: number): Change {
    const op = this.#random.pick([
      Op.read,
      Op.read,
      Op.write,
      Op.write,
      Op.write,
      Op.writeZeroes,
      Op.discard,
    ]);
    const data = op === Op.write ? this.#random.bytes(length) : new Uint8Array(length);
    const io = new Io(this.#environment.runQueue).prepare(op, offset, length, data);
    return { io, subject, wanted: op === Op.write ? data.slice() : new Uint8Array(length) };
  }

  async #judge({ io, subject, wanted }: Change): Promise<void> {
    const { model } = subject;
    expect(io.state).toBe(EventState.done);
    if (io.error?.code === "CEV_DEVICE_LOST") {
      expect(subject.isSnapshot).toBe(true);
      subject.isLost = true;
    }
    if (subject.isLost) return;
    if (io.op === Op.read) {
      if (io.error === null) expect(model.firstDifference(io.offset, io.data)).toBe(-1);
      return;
    }
    if (io.error === null) {
      if (io.op === Op.discard) model.forget(io.offset, io.length);
      else model.write(io.offset, wanted);
      return;
    }
    if (this.#scene.hasFaults !== true) expect(io.error.code).toBe("CEV_NO_SPACE");
    await this.#oldOrNew({ io, subject, wanted });
  }

  /** After a write that failed. Faults of this look itself are tried again. */
  async #oldOrNew({ io, subject, wanted }: Change): Promise<void> {
    const { op, offset, length } = io;
    const found = await this.#read(subject, offset, length);
    if (found === null) return;
    for (let at = 0; at < length && op !== Op.discard; at += BLOCK) {
      const block = found.subarray(at, at + BLOCK);
      const isOld = subject.model.firstDifference(offset + at, block) < 0;
      const isNew = block.every((byte, index) => byte === wanted[at + index]);
      expect(isOld || isNew, `block at ${offset + at}`).toBe(true);
    }
    if (op === Op.discard) subject.model.forget(offset, length);
    else subject.model.learn(offset, found);
  }

  /** Null: it is a snapshot that is lost. */
  async #read(subject: Subject, offset: number, length: number): Promise<Uint8Array | null> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#world.drive(subject.device.read(offset, length));
      } catch (error) {
        if (isCevError(error) && error.code === "CEV_DEVICE_LOST" && subject.isSnapshot) {
          subject.isLost = true;
          return null;
        }
        if (tries > 50) throw error;
      }
    }
  }

  async #compareAll(): Promise<void> {
    for (const subject of this.#subjects) {
      const found = await this.#read(subject, 0, subject.device.size);
      if (found !== null) expect(subject.model.firstDifference(0, found)).toBe(-1);
    }
  }
}

function ignoreLost(error: unknown): void {
  if (!isCevError(error) || error.code !== "CEV_DEVICE_LOST") throw error;
}

describe.each(SCENES)("$name", (scene) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    "origin and snapshots do what plain arrays do, with all requests at once, seed %i",
    async (seed) => {
      await new Run(scene, seed).go(30);
    },
  );
});
