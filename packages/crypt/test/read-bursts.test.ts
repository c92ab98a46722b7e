import { randomBytes } from "node:crypto";
import { EventState, Io, Op } from "@cev/core";
import { FaultLayer, MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import type { MemoryLayerOptions } from "@cev/test-kit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CryptLayer } from "../src/index.ts";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import { transformPlain } from "../src/cipher/plain-cipher.ts";
import { ReadGroup } from "../src/layer/read-group.ts";

const KIB = 1024;
const START = 32 * KIB;
const SIZE = 1024 * KIB;
const KEY = Uint8Array.from({ length: 64 }, (_, index) => index * 5);
const PLAIN = Uint8Array.from({ length: SIZE }, (_, index) => index * 13 + (index >> 9) * 5 + (index >> 16));

interface Setting {
  readonly world: SimulatedWorld;
  readonly memory: MemoryLayer;
  readonly faults: FaultLayer;
  readonly crypt: CryptLayer;
  readonly read: (offset: number, length: number, data?: Uint8Array, dataOffset?: number) => Io;
}

async function setUp(
  options: Partial<MemoryLayerOptions> & { readonly encryption?: string; readonly sectorSize?: number } = {},
): Promise<Setting> {
  const { encryption = "aes-xts-plain64", sectorSize = 512, ...below } = options;
  const world = new SimulatedWorld({ seed: 1 });
  const { environment } = world;
  const key = encryption.includes("xts") ? KEY : KEY.subarray(0, 32);
  const contents = new Uint8Array(START + SIZE);
  contents.set(PLAIN, START);
  const units = { sector: 0, sectorStep: sectorSize / 512, unitLength: sectorSize };
  transformPlain("encrypt", parseCipher(encryption, key.length), key, contents.subarray(START), units);
  const memory = new MemoryLayer(environment, { size: START + SIZE, contents, ...below });
  const faults = new FaultLayer(memory, environment);
  const crypt = new CryptLayer(faults, {
    environment,
    segment: { offset: START, size: null, ivTweak: 0, encryption, sectorSize },
    volumeKey: key,
  });
  await crypt.open();
  return {
    ...{ world, memory, faults, crypt },
    read(offset, length, data = new Uint8Array(length), dataOffset = 0) {
      const io = new Io(environment.runQueue).prepare(Op.read, offset, length, data, dataOffset);
      crypt.submit(io);
      return io;
    },
  };
}

function expectRead(io: Io, offset: number, length: number): void {
  expect(io).toMatchObject({ isUpToDate: true, offset, length, transferred: length });
  const found = io.data.subarray(io.dataOffset, io.dataOffset + length);
  expect(Buffer.compare(found, PLAIN.subarray(offset, offset + length))).toBe(0);
}

async function closeAll({ world, crypt }: Setting): Promise<void> {
  await world.run();
  await crypt.close();
  expect(world.environment.buffers.bytesLent).toBe(0);
}

test("short reads that end below within a burst end with it", async () => {
  const setting = await setUp();
  const { burst } = setting.world.environment;
  burst.begin();
  const ios = [5, 0, 9].map((place) => setting.read(place * 4 * KIB, 4 * KIB));
  expect(ios.map(({ state }) => state)).toEqual([EventState.held, EventState.held, EventState.held]);
  burst.end();
  for (const [index, place] of [5, 0, 9].entries()) expectRead(ios[index]!, place * 4 * KIB, 4 * KIB);
  await closeAll(setting);
});

const reads = fc.array(
  fc.record({
    sector: fc.nat({ max: SIZE / 512 - 1 }),
    sectors: fc.integer({ min: 1, max: 40 }),
    place: fc.constantFrom("own", "pool", "otherSlab"),
    shift: fc.nat({ max: 40 }),
    endsBurst: fc.boolean(),
  }),
  { maxLength: 40 },
);

test.each([512, 4096])(
  "whatever is read in bursts, everybody has his plaintext and no byte beside it changes (sectors of %s)",
  async (sectorSize) => {
    const setting = await setUp({ sectorSize });
    const { burst, buffers } = setting.world.environment;
    const near = buffers.acquire(512 * KIB);
    const lent = [near];
    let far = near;
    // Until the pool takes the next slab.
    while (far.slab === near.slab) {
      far = buffers.acquire(buffers.bufferLengthMax / 2);
      lent.push(far);
    }
    await fc.assert(
      fc.asyncProperty(reads, async (steps) => {
        const ios: { readonly io: Io; readonly offset: number; readonly length: number }[] = [];
        const at = { pool: 0, otherSlab: 0 };
        near.bytes.fill(0xa5);
        far.bytes.fill(0xa5, 0, near.bytes.length);
        burst.begin();
        for (const { sector, sectors, place, shift, endsBurst } of steps) {
          const unit = sectorSize / 512;
          const offset = Math.floor(sector / unit) * sectorSize;
          const length = Math.min(SIZE - offset, Math.ceil(sectors / unit) * sectorSize);
          let memory: Uint8Array = new Uint8Array(length + shift);
          let dataOffset = shift;
          if (place !== "own" && at[place] + shift + length < near.bytes.length) {
            memory = place === "pool" ? near.bytes : far.bytes;
            dataOffset = at[place] + shift;
            at[place] = dataOffset + length;
          }
          ios.push({ io: setting.read(offset, length, memory, dataOffset), offset, length });
          if (!endsBurst) continue;
          burst.end();
          burst.begin();
        }
        burst.end();
        for (const { io, offset, length } of ios) expectRead(io, offset, length);
        for (const { io, length } of ios) io.data.fill(0xa5, io.dataOffset, io.dataOffset + length);
        for (const bytes of [near.bytes, far.bytes.subarray(0, near.bytes.length)])
          expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
      }),
      { numRuns: 30 },
    );
    for (const each of lent) buffers.release(each);
    await closeAll(setting);
  },
);

test("more than is decrypted together does not wait for the end of the burst, nor does a long read", async () => {
  const setting = await setUp();
  const { burst } = setting.world.environment;
  burst.begin();
  const ios = Array.from({ length: 17 }, (_, index) => setting.read(index * 4 * KIB, 4 * KIB));
  for (const [index, io] of ios.slice(0, 16).entries()) expectRead(io, index * 4 * KIB, 4 * KIB);
  expect(ios[16]!.state).toBe(EventState.held);
  expectRead(setting.read(128 * KIB, 64 * KIB), 128 * KIB, 64 * KIB);
  burst.end();
  expectRead(ios[16]!, 64 * KIB, 4 * KIB);
  await closeAll(setting);
});

test("a read that ends below after its burst ends at once", async () => {
  const setting = await setUp({ completion: "byHand" });
  const { burst } = setting.world.environment;
  burst.begin();
  const ios = [0, 1].map((index) => setting.read(index * 4 * KIB, 4 * KIB));
  burst.end();
  setting.memory.completeNext();
  expectRead(ios[0]!, 0, 4 * KIB);
  setting.memory.completeAll();
  expectRead(ios[1]!, 4 * KIB, 4 * KIB);
  await closeAll(setting);
});

test("a cipher that gains nothing by it holds no reads", async () => {
  const setting = await setUp({ encryption: "aes-cbc-essiv:sha256" });
  const { burst } = setting.world.environment;
  burst.begin();
  expectRead(setting.read(0, 4 * KIB), 0, 4 * KIB);
  burst.end();
  await closeAll(setting);
});

test("each has the outcome of its own below, and an error does not wait", async () => {
  const setting = await setUp();
  const { burst } = setting.world.environment;
  setting.faults.failNth(2);
  burst.begin();
  const ios = [0, 1, 2].map((index) => setting.read(index * 4 * KIB, 4 * KIB));
  expect(ios[1]).toMatchObject({ state: EventState.done, error: { code: "CEV_IO" }, offset: 4 * KIB });
  burst.end();
  expectRead(ios[0]!, 0, 4 * KIB);
  expectRead(ios[2]!, 8 * KIB, 4 * KIB);
  await closeAll(setting);
});

test("cancelled while it is held, a read still ends once, with its burst", async () => {
  const setting = await setUp();
  const { burst } = setting.world.environment;
  let endCount = 0;
  burst.begin();
  const ios = [0, 1].map((index) => {
    const io = setting.read(index * 4 * KIB, 4 * KIB);
    io.setOwner(() => endCount++, null);
    return io;
  });
  ios[0]!.cancel();
  expect(endCount).toBe(0);
  burst.end();
  expect(endCount).toBe(2);
  for (const [index, io] of ios.entries()) expectRead(io, index * 4 * KIB, 4 * KIB);
  await closeAll(setting);
});

test("reads that end with their burst may bring others, in bursts of their own or in none", async () => {
  const setting = await setUp();
  const { burst } = setting.world.environment;
  const all: { readonly io: Io; readonly offset: number }[] = [];
  const start = (): void => {
    const offset = (all.length % 50) * 8 * KIB;
    const io = setting.read(offset, 8 * KIB);
    all.push({ io, offset });
    if (io.state === EventState.done) return;
    io.setOwner(() => {
      if (all.length >= 60) return;
      start();
      burst.begin();
      start();
      start();
      burst.end();
    }, null);
  };
  burst.begin();
  for (let index = 0; index < 10; index++) start();
  burst.end();
  expect(all.length).toBeGreaterThanOrEqual(60);
  for (const { io, offset } of all) expectRead(io, offset, 8 * KIB);
  await closeAll(setting);
});

test("all that are held end with an error when they cannot be decrypted", () => {
  const { runQueue, burst } = new SimulatedWorld({ seed: 1 }).environment;
  const broken = (): never => {
    throw new Error("no more keys");
  };
  const group = new ReadGroup(
    { open: broken, encrypt: broken, decrypt: broken, decryptParts: broken, close: broken },
    burst,
  );
  const ios = [0, 1].map((index) => new Io(runQueue).prepare(Op.read, index * 512, 512, randomBytes(512)));
  burst.begin();
  for (const io of ios) {
    io.pushAction(() => expect(group.hold(io, 0)).toBe(true), null);
    io.complete();
  }
  burst.end();
  for (const io of ios)
    expect(io).toMatchObject({ state: EventState.done, error: { code: "CEV_PROGRAM" }, transferred: 0 });
});
