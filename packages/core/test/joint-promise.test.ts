import { describe, expect, test } from "vitest";
import { Device, IoFlag, JointLayer, Op } from "../src/index.ts";
import {
  PassLayer,
  SIZE,
  environment,
  insert,
  newRequest,
  openJoint,
  takeOut,
  turns,
} from "./joint-support.ts";
import { MemoryLayer } from "./support.ts";

describe("what a joint has promised", () => {
  const promised = (): MemoryLayer => new MemoryLayer(SIZE, { name: "first" });

  test.for<{ readonly what: string; readonly make: () => MemoryLayer; readonly says: RegExp }>([
    { what: "smaller", make: () => new MemoryLayer(SIZE / 2), says: /has 32768 bytes/ },
    {
      what: "without flushes",
      make: () => new MemoryLayer(SIZE, { support: { flush: "none" } }),
      says: /does not offer flush/,
    },
    {
      what: "for reading alone",
      make: () => new MemoryLayer(SIZE, { support: { write: "none" } }),
      says: /does not offer write/,
    },
  ])("cannot be kept by a layer that is $what", async ({ make, says }) => {
    const joint = await openJoint(promised());
    const other = make();
    await expect(joint.quiesce((swap) => swap.over(other))).rejects.toThrow(says);
    expect(joint.below.name).toBe("first");
    expect(other.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("is kept by a layer that takes less at a time, larger blocks, no zeroes, no discards and no FUA", async () => {
    const joint = await openJoint(promised());
    const other = new MemoryLayer(SIZE, {
      limits: { logicalBlockSize: 4096, ioLengthMax: 8192 },
      support: { fua: "none", writeZeroes: "none", discard: "none" },
    });
    await joint.quiesce((swap) => swap.over(other));
    const device = await Device.open(joint, environment);
    await device.write(512, new Uint8Array(30_000).fill(9), { fua: true });
    expect(other.seen.at(-1)!.op).toBe(Op.flush);
    await device.writeZeroes(1024, 4096, { fua: true });
    await device.discard(0, SIZE);
    const bytes = await device.read(0, SIZE);
    expect([
      bytes[511],
      bytes[512],
      bytes[1024],
      bytes[5119],
      bytes[5120],
      bytes[30_511],
      bytes[30_512],
    ]).toEqual([0, 9, 0, 0, 9, 9, 0]);
    const io = newRequest(Op.write, 512, 1024, IoFlag.fua);
    joint.submit(io);
    await turns();
    expect(io.isUpToDate).toBe(true);
    await device.close();
  });
});

test("two hundred layers are put in and taken out under requests that are verified, and nothing is lost", async () => {
  const memory = new MemoryLayer(SIZE);
  const joint = new JointLayer(memory, { environment });
  const device = await Device.open(joint, environment);
  const layers: PassLayer[] = [];
  let isOver = false;
  let requestCount = 0;
  const load = async (from: number): Promise<void> => {
    for (let round = 1; !isOver; round++) {
      const data = new Uint8Array(1000).fill(round);
      await device.write(from + 100, data, { fua: round % 3 === 0 });
      if (round % 5 === 0) await device.flush();
      expect(await device.read(from + 100, 1000)).toEqual(data);
      requestCount += 2;
      if (round % 7 === 0) await turns(1);
    }
  };
  const loads = [0, 1, 2, 3].map((index) => load(index * 16_384));
  for (let count = 0; count < 200; count++) {
    if (count % 2 === 0) {
      layers.push(await insert(joint, (lower) => new PassLayer(lower)));
      // A second one below the first, at the joint that came with it.
      layers.push(await insert(joint.below.lowers[0] as JointLayer, (lower) => new PassLayer(lower)));
    } else {
      await takeOut(joint);
      await takeOut(joint);
    }
    await turns(1);
  }
  isOver = true;
  await Promise.all(loads);
  expect(requestCount).toBeGreaterThan(200);
  expect(layers.every(({ submitCount }) => submitCount > 0)).toBe(true);
  expect(layers.some(({ isOpen }) => isOpen)).toBe(false);
  await device.close();
  expect(joint.claims).toMatchObject({ openCount: 0, count: 0 });
  expect(memory.claims).toMatchObject({ openCount: 0, count: 0 });
});
