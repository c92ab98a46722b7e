import { randomBytes } from "node:crypto";
import { Io, Op } from "@cev/core";
import { FaultLayer, MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import type { MemoryLayerOptions } from "@cev/test-kit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CryptLayer } from "../src/index.ts";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import { transformPlain } from "../src/cipher/plain-cipher.ts";

const KIB = 1024;
const START = 32 * KIB;
const SIZE = 1024 * KIB;
const KEY = Uint8Array.from({ length: 64 }, (_, index) => index * 5);

interface Setting {
  readonly world: SimulatedWorld;
  readonly memory: MemoryLayer;
  readonly faults: FaultLayer;
  readonly crypt: CryptLayer;
  readonly write: (offset: number, data: Uint8Array, dataOffset?: number, length?: number) => Io;
}

async function setUp(
  options: Partial<MemoryLayerOptions> & {
    readonly encryption?: string;
    readonly sectorSize?: number;
    readonly bytesMax?: number;
  } = {},
): Promise<Setting> {
  const { encryption = "aes-xts-plain64", sectorSize = 512, bytesMax, ...below } = options;
  const world = new SimulatedWorld({ seed: 1, ...(bytesMax === undefined ? {} : { buffers: { bytesMax } }) });
  const { environment } = world;
  const memory = new MemoryLayer(environment, { size: START + SIZE, ...below });
  const faults = new FaultLayer(memory, environment);
  const crypt = new CryptLayer(faults, {
    environment,
    segment: { offset: START, size: null, ivTweak: 0, encryption, sectorSize },
    volumeKey: encryption.includes("xts") ? KEY : KEY.subarray(0, 32),
  });
  await crypt.open();
  return {
    ...{ world, memory, faults, crypt },
    write(offset, data, dataOffset = 0, length = data.length) {
      const io = new Io(environment.runQueue).prepare(Op.write, offset, length, data, dataOffset);
      crypt.submit(io);
      return io;
    },
  };
}

function encrypted(plain: Uint8Array, sectorSize: number): Uint8Array {
  const data = plain.slice();
  const units = { sector: 0, sectorStep: sectorSize / 512, unitLength: sectorSize };
  transformPlain("encrypt", parseCipher("aes-xts-plain64", KEY.length), KEY, data, units);
  return data;
}

async function closeAll({ world, crypt }: Setting): Promise<void> {
  await world.run();
  await crypt.close();
  expect(world.environment.buffers.bytesLent).toBe(0);
}

test("short writes of a burst go down when it ends, each as it was, and nobody's data has changed", async () => {
  const setting = await setUp({ completion: "byHand" });
  const { world, memory, write } = setting;
  const { burst } = world.environment;
  const plain = Array.from({ length: 5 }, () => randomBytes(4 * KIB));
  const before = plain.map((data) => Uint8Array.from(data));
  burst.begin();
  const ios = plain.map((data, index) => write(index * 64 * KIB, data));
  expect(memory.pending).toHaveLength(0);
  burst.end();
  expect(memory.pending).toEqual(ios);
  expect(ios.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4].map((index) => START + index * 64 * KIB));
  // In any order.
  for (const index of [3, 0, 1, 1, 0]) memory.completeNext(index);
  for (const [index, io] of ios.entries()) {
    expect(io).toMatchObject({ isUpToDate: true, offset: index * 64 * KIB, dataOffset: 0 });
    expect(io.data).toBe(plain[index]);
    expect(Uint8Array.from(io.data)).toEqual(before[index]);
  }
  await closeAll(setting);
});

const writes = fc.array(
  fc.record({
    // Units of 4 KiB from the one before, so that none meets another; and within the unit.
    skip: fc.nat({ max: 3 }),
    shift: fc.nat({ max: 7 }),
    sectors: fc.integer({ min: 1, max: 40 }),
    isInPool: fc.boolean(),
    endsBurst: fc.boolean(),
  }),
  { maxLength: 40 },
);

test.each([512, 4096])(
  "whatever comes in bursts, the disk holds what single writes leave there (sectors of %s)",
  async (sectorSize) => {
    await fc.assert(
      fc.asyncProperty(writes, async (steps) => {
        const setting = await setUp({ sectorSize });
        const { world, memory, write } = setting;
        const { burst, buffers } = world.environment;
        const lent = buffers.acquire(64 * KIB);
        const plain = new Uint8Array(SIZE);
        const isWritten = new Uint8Array(SIZE);
        const ios: Io[] = [];
        let at = 0;
        let poolAt = 0;
        burst.begin();
        for (const { skip, shift, sectors, isInPool, endsBurst } of steps) {
          const offset = at + skip * 4 * KIB + (sectorSize === 512 ? shift * 512 : 0);
          const length = Math.ceil((sectors * 512) / sectorSize) * sectorSize;
          if (offset + length > SIZE) break;
          at = Math.ceil((offset + length) / (4 * KIB)) * 4 * KIB;
          const data = randomBytes(length);
          plain.set(data, offset);
          isWritten.fill(1, offset, offset + length);
          if (isInPool && poolAt + length <= lent.bytes.length) {
            lent.bytes.set(data, poolAt);
            ios.push(write(offset, lent.bytes, poolAt, length));
            poolAt += length;
          } else {
            ios.push(write(offset, data));
          }
          if (!endsBurst) continue;
          burst.end();
          burst.begin();
        }
        burst.end();
        expect(ios.every(({ isUpToDate }) => isUpToDate)).toBe(true);
        const wanted = encrypted(plain, sectorSize);
        const found = memory.bytes.subarray(START);
        expect(found.findIndex((byte, index) => byte !== (isWritten[index] === 1 ? wanted[index] : 0))).toBe(
          -1,
        );
        buffers.release(lent);
        await closeAll(setting);
      }),
      { numRuns: 40 },
    );
  },
);

test("more than is encrypted together does not wait for the end of the burst, nor does a long write", async () => {
  const setting = await setUp({ completion: "byHand" });
  const { world, memory, write } = setting;
  world.environment.burst.begin();
  for (let index = 0; index < 16; index++) write(index * 4 * KIB, new Uint8Array(4 * KIB));
  expect(memory.pending).toHaveLength(0);
  write(128 * KIB, new Uint8Array(64 * KIB));
  expect(memory.pending).toHaveLength(1);
  write(512 * KIB, new Uint8Array(512));
  expect(memory.pending).toHaveLength(17);
  world.environment.burst.end();
  expect(memory.pending).toHaveLength(18);
  memory.completeAll();
  await closeAll(setting);
});

test("a device that works on while the next are encrypted gets them sooner", async () => {
  const setting = await setUp({ completion: "byHand" });
  const { world, memory, write } = setting;
  const { burst } = world.environment;
  const writeAll = (): void => {
    for (let index = 0; index < 5; index++) write(index * 4 * KIB, new Uint8Array(4 * KIB));
  };
  for (const keptFirst of [0, 4]) {
    burst.begin();
    writeAll();
    expect(memory.pending).toHaveLength(keptFirst);
    burst.end();
    expect(memory.pending).toHaveLength(5);
    memory.completeAll();
  }
  memory.completion = "atOnce";
  burst.begin();
  writeAll();
  burst.end();
  // Whoever ends them at once gets them all together again.
  memory.completion = "byHand";
  burst.begin();
  writeAll();
  expect(memory.pending).toHaveLength(0);
  burst.end();
  memory.completeAll();
  await closeAll(setting);
});

test("a cipher that gains nothing by it keeps no writes", async () => {
  const setting = await setUp({ completion: "byHand", encryption: "aes-cbc-essiv:sha256" });
  const { world, memory, write } = setting;
  world.environment.burst.begin();
  write(0, new Uint8Array(512));
  expect(memory.pending).toHaveLength(1);
  world.environment.burst.end();
  memory.completeAll();
  await closeAll(setting);
});

test("cancelled while it is kept, a write ends at once, and the others are done", async () => {
  const setting = await setUp();
  const { world, memory, write } = setting;
  world.environment.burst.begin();
  const ios = [0, 1, 2].map((index) => write(index * 4 * KIB, new Uint8Array(4 * KIB).fill(index + 1)));
  const { data } = ios[1]!;
  ios[1]!.cancel();
  expect(ios[1]).toMatchObject({ error: { code: "CEV_CANCELLED" }, offset: 4 * KIB, data });
  world.environment.burst.end();
  expect(ios.map(({ isUpToDate }) => isUpToDate)).toEqual([true, false, true]);
  const written = memory.bytes.subarray(START, START + 12 * KIB);
  expect(written.subarray(4 * KIB, 8 * KIB).every((byte) => byte === 0)).toBe(true);
  await closeAll(setting);
});

test("each has the outcome of its own below", async () => {
  const setting = await setUp();
  const { world, faults, write } = setting;
  faults.failNth(2);
  world.environment.burst.begin();
  const ios = [0, 1, 2].map((index) => write(index * 4 * KIB, new Uint8Array(4 * KIB)));
  world.environment.burst.end();
  expect(ios.map(({ error }) => error?.code)).toEqual([undefined, "CEV_IO", undefined]);
  expect(ios.map(({ offset }) => offset)).toEqual([0, 4 * KIB, 8 * KIB]);
  await closeAll(setting);
});

test("without memory for all of them together they go one by one", async () => {
  const setting = await setUp({ bytesMax: 3 * 1024 * KIB, completion: "later" });
  const { world, memory, write } = setting;
  const { buffers, burst } = world.environment;
  const taken = [];
  for (let one = buffers.tryAcquire(512); one !== null; one = buffers.tryAcquire(512)) taken.push(one);
  burst.begin();
  const ios = Array.from({ length: 8 }, (_, index) =>
    write(index * 4 * KIB, new Uint8Array(4 * KIB).fill(index)),
  );
  burst.end();
  await world.run();
  expect(ios.every(({ isUpToDate }) => isUpToDate)).toBe(true);
  expect(memory.log).toHaveLength(8);
  for (const one of taken) buffers.release(one);
  await closeAll(setting);
});

test("writes that end within their burst may bring others, and no more than 64 KiB are encrypted together", async () => {
  const setting = await setUp({ completion: "atOnce" });
  const { world, write, memory } = setting;
  const { burst, buffers } = world.environment;
  const lent: number[] = [];
  const tryAcquire = buffers.tryAcquire.bind(buffers);
  buffers.tryAcquire = (length) => {
    lent.push(length);
    return tryAcquire(length);
  };
  const data = randomBytes(16 * KIB);
  let left = 12;
  const again = (): void => {
    if (left-- > 0) write(left * 16 * KIB, data).setOwner(again, null);
  };
  burst.begin();
  for (let index = 0; index < 4; index++) write((20 + index) * 16 * KIB, data).setOwner(again, null);
  for (let index = 0; index < 4; index++) write((30 + index) * 16 * KIB, data);
  burst.end();
  await closeAll(setting);
  expect(memory.log).toHaveLength(20);
  expect(Math.max(...lent)).toBe(64 * KIB);
});
