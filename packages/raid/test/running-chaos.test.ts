import { isCevError } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions } from "./support/layer-bench.ts";

const KIB = 1024;
const BITMAP = { bitmap: "internal", bitmapChunkSize: 16 * KIB } as const;
const SEEDS = Number(process.env["CEV_SEEDS"] ?? 1);

const ARRAYS: readonly (readonly [string, Omit<LayerBenchOptions, "seed">])[] = [
  ["RAID1 with a bitmap", { create: { level: 1, ...BITMAP }, memberCount: 3 }],
  ["RAID5 without a bitmap", { create: { level: 5, chunkSize: 8 * KIB, bitmap: "none" }, memberCount: 4 }],
  ["RAID5 with a bitmap", { create: { level: 5, chunkSize: 8 * KIB, ...BITMAP }, memberCount: 3 }],
  ["RAID6 with a bitmap", { create: { level: 6, chunkSize: 8 * KIB, ...BITMAP }, memberCount: 5 }],
  ["RAID10 with a bitmap", { create: { level: 10, chunkSize: 8 * KIB, ...BITMAP }, memberCount: 4 }],
  [
    "RAID10 offset, superblock 0.90",
    { create: { level: 10, layout: 0x10201, chunkSize: 8 * KIB, version: "0.90" }, memberCount: 3 },
  ],
];

/** One life of an array: members come, go and are lost while it is written, read, checked, closed and opened. */
class Life {
  readonly bench: LayerBench;
  readonly random: Random;
  /** What the array holds. */
  readonly model: Uint8Array;
  /** Devices that were taken out, by their number in the bench. */
  readonly out: number[] = [];
  /** Devices that are gone for good. */
  readonly lost = new Set<number>();

  constructor(bench: LayerBench, random: Random) {
    this.bench = bench;
    this.random = random;
    this.model = new Uint8Array(bench.device.size);
  }

  /** A member is lost, and nobody has noticed yet. */
  get hasSecret(): boolean {
    const { members } = this.bench.layer.array;
    return members.some(({ takesWrites, name }) => takesWrites && this.lost.has(numberOf(name)));
  }

  /** A write that ends some time. Those under way never overlap: each takes a quarter of the array. */
  write(quarter: number): Promise<void> {
    const { random, bench, model } = this;
    const size = model.length / 4;
    const length = 512 * random.between(1, 64);
    const offset = quarter * size + 512 * random.below((size - length) / 512);
    const data = random.bytes(length);
    model.set(data, offset);
    return bench.device.write(offset, data);
  }

  async step(): Promise<void> {
    const { bench, random } = this;
    const { layer } = bench;
    const writes = [0, 1, 2, 3].filter(() => random.chance(0.7)).map((quarter) => this.write(quarter));
    const change = this.#change(layer.array.members.length);
    const outcomes = await bench.drive(Promise.allSettled([change, ...writes]));
    for (const outcome of outcomes.slice(1)) if (outcome.status === "rejected") throw outcome.reason;
    const [changed] = outcomes;
    // Some changes are refused: there is nothing to fail or to take back just now.
    if (changed.status === "rejected" && !isRefusal(changed.reason)) throw changed.reason;
    if (random.chance(0.3)) await bench.pass(random.below(8000));
  }

  async #change(memberCount: number): Promise<void> {
    const { bench, random, out } = this;
    const { layer } = bench;
    switch (random.below(9)) {
      case 0:
      case 1: {
        const { name, device } = layer.array.members[random.below(memberCount)]!;
        if (device === null || this.hasSecret) return;
        await layer.failMember(name);
        await layer.removeMember(name);
        out.push(numberOf(name));
        return;
      }
      case 2: {
        // Lost for good, but only where the array can do without it.
        const member = layer.array.members[random.below(memberCount)]!;
        if (!member.isInSync || !layer.array.canLose(member) || this.hasSecret) return;
        bench.disks[numberOf(member.name)]!.fault.lose();
        this.lost.add(numberOf(member.name));
        return;
      }
      case 3:
      case 4: {
        const number = out.pop();
        if (number === undefined || this.lost.has(number)) return;
        const { fault, name } = bench.disks[number]!;
        await layer.reAddMember(fault, name).catch((error: unknown) => {
          if (!isRefusal(error)) throw error;
          return layer.addMember(fault, name);
        });
        return;
      }
      case 5: {
        if (bench.disks.length > 9) return;
        const { fault, name } = bench.addDisk();
        await layer.addMember(fault, name);
        return;
      }
      case 6:
        await layer.check().then((mismatched) => expect(mismatched).toBe(0));
        return;
      case 7:
        layer.pauseSync();
        layer.resumeSync();
        return;
      default:
    }
  }

  /** All that was acknowledged is there, and what is redundant agrees. */
  async judge(): Promise<void> {
    const { bench } = this;
    await bench.idle();
    expect(await bench.read()).toEqual(this.model);
    const { array } = bench.layer;
    const canCheck = (): boolean => array.members.some((member) => member.isInSync && array.canLose(member));
    // A check that finds out that a member is lost ends there, and is begun again without it.
    for (let isDone = false; !isDone && canCheck();) {
      const mismatched = await bench.drive(bench.layer.check().catch(ifInterrupted));
      if (mismatched !== null) expect(mismatched).toBe(0);
      isDone = mismatched !== null;
      await bench.idle();
    }
  }
}

function numberOf(name: string): number {
  return Number(name.slice(1));
}

function ifInterrupted(error: unknown): null {
  if (isCevError(error) && error.code === "CEV_CANCELLED") return null;
  throw error;
}

function isRefusal(error: unknown): boolean {
  return (
    isCevError(error) &&
    ["CEV_DEGRADED", "CEV_INVALID", "CEV_BUSY", "CEV_CANCELLED", "CEV_NOT_FOUND"].includes(error.code)
  );
}

describe.each(ARRAYS)("a life of %s", (_name, options) => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed + 1))("loses nothing (seed %i)", async (seed) => {
    const bench = await LayerBench.create({ deviceSize: 1280 * KIB, ...options, seed });
    const random = new Random(seed);
    await bench.open();
    // What was never in sync cannot be reconstructed.
    await bench.idle();
    const life = new Life(bench, random);
    for (let session = 0; session < 4; session++) {
      for (let step = 0; step < 12; step++) await life.step();
      if (random.chance(0.5)) await life.judge();
      await bench.close();
      const missing = bench.disks.flatMap((_, number) =>
        life.out.includes(number) || life.lost.has(number) ? [number] : [],
      );
      await bench.open({ missing });
      expect(await bench.read()).toEqual(life.model);
    }
    await life.judge();
    await bench.close();
    expect(bench.world.isIdle).toBe(true);
  });
});
