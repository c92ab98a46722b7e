import { randomBytes } from "node:crypto";
import { Device, EventState, Io, IoFlag, Op } from "@cev/core";
import type { CevError, Layer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { CheckingLayer, FaultLayer, MemoryLayer, ModelDevice, SimulatedWorld } from "@cev/test-kit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CryptLayer } from "../src/index.ts";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import { transformPlain } from "../src/cipher/plain-cipher.ts";
import { KEY, cryptOver, segmentOf } from "./crypt-over.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Compares large arrays fast. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** What the lower device must hold where the plaintext is this. */
function encrypted(plain: Uint8Array, sectorSize: number, sector = 0): Uint8Array {
  const data = plain.slice();
  transformPlain("encrypt", parseCipher("aes-xts-plain64", KEY.length), KEY, data, {
    sector,
    sectorStep: sectorSize / 512,
    unitLength: sectorSize,
  });
  return data;
}

/** An `Io` on its way, and its end. */
function submit(
  layer: Layer,
  world: SimulatedWorld,
  op: Op,
  offset: number,
  data: Uint8Array,
  flags = 0,
): Io {
  const io = new Io(world.environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
  layer.submit(io);
  return io;
}

async function opened(layer: CryptLayer): Promise<CryptLayer> {
  await layer.open();
  return layer;
}

const runs = fc.record({
  seed: fc.nat(),
  sectorSize: fc.constantFrom(512, 4096),
  ivTweak: fc.constantFrom(0, 2 ** 33),
  bytesMax: fc.constantFrom(1.5 * MIB, 64 * MIB),
  faultProbability: fc.constantFrom(0, 0.1),
  cancelProbability: fc.constantFrom(0, 0.1),
});

test("S1 random requests, many at once, late, failing and cancelled, leave what a plain device would hold", async () => {
  await fc.assert(
    fc.asyncProperty(
      runs,
      async ({ seed, sectorSize, ivTweak, bytesMax, faultProbability, cancelProbability }) => {
        const world = new SimulatedWorld({ seed, buffers: { bytesMax, slabLength: 4 * MIB } });
        const { environment, random } = world;
        const memory = new MemoryLayer(environment, { size: 272 * KIB, completion: "random", seed });
        const fault = new FaultLayer(memory, environment, { seed });
        const below = new CheckingLayer(fault);
        const crypt = cryptOver(below, environment, { sectorSize, ivTweak });
        const above = new CheckingLayer(crypt);
        const device = await world.drive(Device.open(above, environment));
        expect(device.size).toBe(240 * KIB);
        const model = new ModelDevice(device.size);
        const codes = new Set<string>();
        if (faultProbability > 0) {
          for (const kind of ["error", "errorAfter", "half"] as const)
            fault.add({ fault: { kind, code: "CEV_MEDIUM" }, probability: faultProbability / 3 });
        }
        // Requests under way at one time never touch the same sectors.
        const lanes = 6;
        const laneLength = Math.floor(device.size / lanes / sectorSize) * sectorSize;
        const lane = async (index: number): Promise<void> => {
          for (let round = 0; round < 12; round++) {
            const length = sectorSize * random.between(1, random.chance(0.2) ? laneLength / sectorSize : 5);
            const offset =
              index * laneLength + sectorSize * random.below((laneLength - length) / sectorSize + 1);
            const abort = new AbortController();
            if (random.chance(cancelProbability))
              environment.clock.after(random.below(3), () => abort.abort());
            const isWrite = random.chance(0.5);
            const data = isWrite ? random.bytes(length) : new Uint8Array(length);
            const before = data.slice();
            const options = { signal: abort.signal, fua: random.chance(0.3) };
            const request = isWrite
              ? device.write(offset, data, options)
              : device.readInto(offset, data, options);
            const error: unknown = await request.then(
              () => null,
              (reason: unknown) => reason,
            );
            if (isWrite) expect(isEqual(data, before)).toBe(true);
            if (error === null) {
              if (isWrite) model.write(offset, data);
              else expect(model.firstDifference(offset, data)).toBe(-1);
            } else {
              codes.add((error as CevError).code);
              if (isWrite) model.forget(offset, length);
            }
          }
        };
        await world.drive(Promise.all(Array.from({ length: lanes }, (_, index) => lane(index))));
        fault.reset();
        const plain = await world.drive(device.read(0, device.size));
        expect(model.firstDifference(0, plain)).toBe(-1);
        expect(isEqual(encrypted(plain, sectorSize, ivTweak), memory.bytes.subarray(32 * KIB))).toBe(true);
        expect([...codes].every((code) => ["CEV_MEDIUM", "CEV_CANCELLED"].includes(code))).toBe(true);
        expect(memory.bytes.subarray(0, 32 * KIB).every((byte) => byte === 0)).toBe(true);
        await world.drive(device.close());
        above.check();
        below.check();
        expect(environment.buffers.bytesLent).toBe(0);
      },
    ),
    { numRuns: 20 },
  );
});

describe("writes", () => {
  test("the caller's memory stays as it is while the write is under way, and comes back with the Io", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: MIB, completion: "byHand" });
    const crypt = await opened(cryptOver(memory, world.environment));
    const data = randomBytes(8 * KIB);
    const before = Uint8Array.from(data);
    const io = submit(crypt, world, Op.write, 4 * KIB, data, IoFlag.fua);
    expect(memory.pending).toEqual([io]);
    expect(io).toMatchObject({ offset: 36 * KIB, length: 8 * KIB, flags: IoFlag.fua, dataOffset: 0 });
    expect(Uint8Array.from(data)).toEqual(before);
    expect(io.data.subarray(0, 8 * KIB)).not.toEqual(before);
    memory.completeAll();
    expect(io.isUpToDate).toBe(true);
    expect(io.data).toBe(data);
    expect(io).toMatchObject({ offset: 4 * KIB, dataOffset: 0 });
    expect(memory.bytes.slice(36 * KIB, 44 * KIB)).toEqual(encrypted(before, 512, 8));
  });

  test("the same Io goes down, not a copy of it", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    const memory = new MemoryLayer(world.environment, { size: MIB, completion: "byHand" });
    const crypt = await opened(cryptOver(memory, world.environment));
    for (const op of [Op.read, Op.write, Op.flush]) {
      const io = submit(crypt, world, op, 0, new Uint8Array(op === Op.flush ? 0 : 512));
      expect(memory.pending[0]).toBe(io);
      memory.completeAll();
      expect(io.isUpToDate).toBe(true);
    }
  });

  test("without room in the pool they wait their turn, and all are done", async () => {
    const world = new SimulatedWorld({ seed: 2, buffers: { bytesMax: 3 * MIB } });
    const memory = new MemoryLayer(world.environment, { size: 16 * MIB, completion: "byHand" });
    const crypt = await opened(cryptOver(memory, world.environment));
    const ios = Array.from({ length: 8 }, (_, index) =>
      submit(crypt, world, Op.write, index * MIB, new Uint8Array(MIB).fill(index)),
    );
    // One in the pool beside the reserve, one in the reserve.
    expect(memory.pending).toHaveLength(2);
    memory.completeAll();
    await world.run();
    memory.completeAll();
    expect(ios.every(({ isUpToDate }) => isUpToDate)).toBe(true);
    expect(memory.log.map(({ offset }) => (offset - 32 * KIB) / MIB)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await crypt.close();
    expect(world.environment.buffers.bytesLent).toBe(0);
  });

  test("of a range of zeroes, however long, a part at a time has memory", async () => {
    const world = new SimulatedWorld({ seed: 2 });
    const { environment } = world;
    const memory = new MemoryLayer(environment, { size: 48 * MIB, completion: "byHand" });
    const device = await world.drive(Device.open(cryptOver(memory, environment), environment));
    let isDone = false;
    const done = device.writeZeroes(0, 40 * MIB).then(() => (isDone = true));
    expect(memory.pending).toHaveLength((32 * MIB) / (64 * KIB));
    expect(environment.buffers.bytesLent).toBeLessThan(34 * MIB);
    // One ends, one begins.
    memory.completeNext();
    expect(memory.pending).toHaveLength((32 * MIB) / (64 * KIB));
    memory.completeAll();
    await world.drive(done);
    expect(isDone).toBe(true);
    expect(memory.log).toHaveLength((40 * MIB) / (64 * KIB));
  });

  test("a pool that others have filled for good does not stop them", async () => {
    const world = new SimulatedWorld({ seed: 3, buffers: { bytesMax: 3 * MIB } });
    const { buffers } = world.environment;
    const memory = new MemoryLayer(world.environment, { size: 16 * MIB, completion: "later" });
    const crypt = await opened(cryptOver(memory, world.environment));
    while (buffers.tryAcquire(512) !== null);
    const ios = Array.from({ length: 20 }, (_, index) =>
      submit(crypt, world, Op.write, index * 512, new Uint8Array(512)),
    );
    await world.run();
    expect(ios.every(({ isUpToDate }) => isUpToDate)).toBe(true);
  });

  test("over a disk that takes its contents from the same pool, they end in CEV_NO_SPACE, not in waiting", async () => {
    const world = new SimulatedWorld({ seed: 3, buffers: { bytesMax: 4 * MIB } });
    const ramdisk = new RamdiskLayer(world.environment, { size: 16 * MIB });
    const crypt = await opened(cryptOver(ramdisk, world.environment));
    const ios = Array.from({ length: 8 }, (_, index) =>
      submit(crypt, world, Op.write, index * MIB, new Uint8Array(MIB).fill(index)),
    );
    await world.run();
    expect(
      ios
        .map(({ error }) => error?.code ?? "done")
        .toSorted()
        .at(-1),
    ).toBe("done");
    expect(ios.some(({ error }) => error?.code === "CEV_NO_SPACE")).toBe(true);
    expect(ios.every(({ state }) => state === EventState.done)).toBe(true);
  });

  test("cancelled while it waits for room, a write ends at once; the others go on", async () => {
    const world = new SimulatedWorld({ seed: 4, buffers: { bytesMax: 3 * MIB } });
    const memory = new MemoryLayer(world.environment, { size: 16 * MIB, completion: "byHand" });
    const crypt = await opened(cryptOver(memory, world.environment));
    const ios = Array.from({ length: 5 }, (_, index) =>
      submit(crypt, world, Op.write, index * MIB, new Uint8Array(MIB).fill(index)),
    );
    const data = ios[3]!.data;
    ios[3]!.cancel();
    expect(ios[3]).toMatchObject({ error: { code: "CEV_CANCELLED" }, offset: 3 * MIB, data });
    memory.completeAll();
    await world.run();
    memory.completeAll();
    expect(ios.map(({ isUpToDate }) => isUpToDate)).toEqual([true, true, true, false, true]);
    expect(memory.bytes.subarray(3 * MIB + 32 * KIB, 4 * MIB + 32 * KIB).every((byte) => byte === 0)).toBe(
      true,
    );
  });

  test("whoever waits for room behind this layer gets it when this one needs no more", async () => {
    const world = new SimulatedWorld({ seed: 5, buffers: { bytesMax: 3 * MIB } });
    const { buffers } = world.environment;
    const memory = new MemoryLayer(world.environment, { size: 16 * MIB, completion: "byHand" });
    const crypt = await opened(cryptOver(memory, world.environment));
    const full = buffers.acquire(MIB);
    for (let index = 0; index < 2; index++) submit(crypt, world, Op.write, index * MIB, new Uint8Array(MIB));
    let wakeCount = 0;
    buffers.waitForRoom(() => wakeCount++, null);
    // The reserve comes back first and carries the second write; what it waited for goes to the next in the queue.
    memory.completeAll();
    buffers.release(full);
    expect(wakeCount).toBe(1);
  });
});

describe("reads", () => {
  test("what came before an error is plaintext, in whole sectors", async () => {
    const world = new SimulatedWorld({ seed: 6 });
    const memory = new MemoryLayer(world.environment, { size: MIB });
    const fault = new FaultLayer(memory, world.environment);
    const crypt = await opened(cryptOver(fault, world.environment, { sectorSize: 4096 }));
    const plain = randomBytes(16 * KIB);
    submit(crypt, world, Op.write, 0, plain);
    fault.add({ fault: { kind: "half", code: "CEV_MEDIUM" }, op: Op.read });
    const io = submit(crypt, world, Op.read, 0, new Uint8Array(12 * KIB));
    expect(io).toMatchObject({ error: { code: "CEV_MEDIUM" }, offset: 0 });
    expect(io.transferred % 4096).toBe(0);
    const { transferred } = io;
    expect(Buffer.from(io.data.subarray(0, transferred)).equals(plain.subarray(0, transferred))).toBe(true);
  });

  test("submitted again from above, a request is decrypted once", async () => {
    const world = new SimulatedWorld({ seed: 7 });
    const memory = new MemoryLayer(world.environment, { size: MIB });
    const fault = new FaultLayer(memory, world.environment);
    const crypt = await opened(cryptOver(fault, world.environment));
    const plain = randomBytes(4096);
    submit(crypt, world, Op.write, 0, plain);
    fault.failNth(1);
    const io = new Io(world.environment.runQueue).prepare(Op.read, 0, 4096, new Uint8Array(4096));
    io.pushAction((failed) => {
      expect(failed.error?.code).toBe("CEV_IO");
      failed.restart();
      crypt.submit(failed);
    }, null);
    crypt.submit(io);
    expect(io.isUpToDate).toBe(true);
    expect(Buffer.from(io.data).equals(plain)).toBe(true);
  });
});

describe("operations", () => {
  const world = new SimulatedWorld({ seed: 8 });
  const { environment } = world;

  test.each([
    ["writeZeroes", Op.writeZeroes],
    ["discard", Op.discard],
    ["one invented later", 9 as Op],
  ])("%s is refused, and nothing goes down", async (_name, op) => {
    const memory = new MemoryLayer(environment, { size: MIB });
    const crypt = await opened(cryptOver(memory, environment));
    const io = new Io(environment.runQueue).prepare(op, 0, 4096);
    crypt.submit(io);
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(memory.log).toEqual([]);
  });

  test("discards go through where that is allowed", async () => {
    const memory = new MemoryLayer(environment, { size: MIB });
    const crypt = await opened(
      new CryptLayer(memory, { environment, segment: segmentOf(), volumeKey: KEY, allowDiscards: true }),
    );
    const io = new Io(environment.runQueue).prepare(Op.discard, 4096, 8192);
    crypt.submit(io);
    expect(io).toMatchObject({ error: null, offset: 4096 });
    expect(memory.log).toEqual([{ op: Op.discard, flags: 0, offset: 36 * KIB, length: 8192 }]);
  });

  test("zeroes are written as encrypted zeroes by whoever stands above", async () => {
    const memory = new MemoryLayer(environment, { size: MIB });
    await using device = await Device.open(cryptOver(memory, environment), environment);
    await device.writeZeroes(1000, 100_000);
    expect(memory.bytes.slice(33 * KIB, 34 * KIB)).toEqual(encrypted(new Uint8Array(KIB), 512, 2));
    expect((await device.read(1000, 100_000)).every((byte) => byte === 0)).toBe(true);
  });

  test("read-only, nothing can be written or flushed", async () => {
    const memory = new MemoryLayer(environment, { size: MIB });
    const options = { environment, segment: segmentOf(), volumeKey: KEY, isReadOnly: true };
    const crypt = await opened(new CryptLayer(memory, options));
    const io = submit(crypt, world, Op.write, 0, new Uint8Array(512));
    expect(io.error?.code).toBe("CEV_NOT_SUPPORTED");
    const flush = submit(crypt, world, Op.flush, 0, new Uint8Array(0));
    expect(flush.error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(memory.log).toEqual([]);
  });
});

test("without memory for its reserve it does not open, and gives back what it has", async () => {
  const { environment } = new SimulatedWorld({ seed: 10, buffers: { bytesMax: MIB } });
  const memory = new MemoryLayer(environment, { size: MIB });
  await expect(cryptOver(memory, environment).open()).rejects.toMatchObject({ code: "CEV_NO_MEMORY" });
  expect(environment.buffers.bytesLent).toBe(0);
  expect(memory.claims.count).toBe(0);
});

test("a hole below is data here: it reads as bytes that a copy has to have", async () => {
  const world = new SimulatedWorld({ seed: 1 });
  const { environment } = world;
  const ramdisk = new RamdiskLayer(environment, { size: MIB });
  const device = await world.drive(Device.open(cryptOver(ramdisk, environment), environment));
  const extents = await world.drive(device.extents(0, device.size));
  expect(extents.map(({ isHole, isZero }) => [isHole, isZero])).toEqual([[false, false]]);
  await world.drive(device.close());
});
