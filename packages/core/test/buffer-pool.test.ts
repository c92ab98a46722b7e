import { describe, expect, it } from "vitest";
import { BufferPool, ProgramError } from "../src/index.ts";

// (module (import "env" "memory" (memory 1)) (func (export "fill") (param i32 i32) local.get 0 local.get 1 i32.store8))
const MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 6, 1, 0x60, 2, 0x7f, 0x7f, 0, 2, 15, 1, 3, 0x65, 0x6e, 0x76, 6, 0x6d,
  0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 1, 3, 2, 1, 0, 7, 8, 1, 4, 0x66, 0x69, 0x6c, 0x6c, 0, 0, 10, 11, 1, 9,
  0, 0x20, 0, 0x20, 1, 0x3a, 0, 0, 0x0b,
]);

describe("BufferPool", () => {
  it("lends powers of two from 512 bytes on, and lends again what comes back", () => {
    const pool = new BufferPool();
    const buffer = pool.acquire(5000);
    expect(buffer.bytes.length).toBe(8192);
    expect(pool.acquire(1).bytes.length).toBe(512);
    expect(pool.bytesLent).toBe(8192 + 512);
    pool.release(buffer);
    expect(pool.acquire(8192)).toBe(buffer);
    expect(pool.acquire(4097)).not.toBe(buffer);
  });

  it("never lends the same memory twice at once", () => {
    const pool = new BufferPool({ slabLength: 1024 * 1024 });
    const buffers = Array.from({ length: 200 }, (_, index) => pool.acquire(512 << (index % 6)));
    buffers.forEach((buffer, index) => buffer.bytes.fill(index));
    buffers.forEach((buffer, index) => expect(buffer.bytes.every((byte) => byte === index)).toBe(true));
  });

  it("knows which memory is its own", () => {
    const pool = new BufferPool();
    const buffer = pool.acquire(4096);
    expect(pool.slabOf(buffer.bytes)).toBe(buffer.slab);
    expect(pool.slabOf(buffer.bytes.subarray(100))).toBe(buffer.slab);
    expect(pool.slabOf(new Uint8Array(10))).toBeNull();
    expect(new BufferPool().slabOf(buffer.bytes)).toBeNull();
  });

  it("is bounded: at its limit it says so, and wakes those who wait one at a time, first come first served", () => {
    const pool = new BufferPool({ bytesMax: 8192 });
    const one = pool.acquire(4096);
    const two = pool.acquire(4096);
    expect(pool.tryAcquire(1)).toBeNull();
    expect(() => pool.acquire(1)).toThrow(expect.objectContaining({ code: "CEV_NO_MEMORY" }));
    const woken: string[] = [];
    const wake = (_pool: BufferPool, name: string): void => void woken.push(name);
    const first = pool.waitForRoom(wake, "first");
    pool.waitForRoom(wake, "second");
    pool.waitForRoom(wake, "third");
    expect(pool.stopWaitingForRoom(first)).toBe(true);
    pool.release(one);
    expect(woken).toEqual(["second"]);
    pool.passRoomOn();
    expect(woken).toEqual(["second", "third"]);
    pool.release(two);
    expect(pool.bytesLent).toBe(0);
  });

  it("refuses a buffer that is released twice or too long", () => {
    const pool = new BufferPool();
    const buffer = pool.acquire(512);
    pool.release(buffer);
    expect(() => pool.release(buffer)).toThrow(ProgramError);
    expect(() => pool.acquire(pool.bufferLengthMax + 1)).toThrow(ProgramError);
    expect(pool.acquire(pool.bufferLengthMax).bytes.length).toBe(pool.bufferLengthMax);
  });

  it("binds a kernel once per slab, with scratch of its own, and runs it in place", () => {
    const pool = new BufferPool();
    let bound = 0;
    const kernel = {
      bytes: MODULE,
      scratchLength: 256,
      bind: (exports: Readonly<Record<string, (...args: number[]) => number>>, scratchAddress: number) => {
        bound++;
        return { fill: exports["fill"]!, scratchAddress };
      },
    };
    const buffer = pool.acquire(512);
    const { fill, scratchAddress } = buffer.slab.kernel(kernel);
    expect(buffer.slab.kernel(kernel).fill).toBe(fill);
    fill(buffer.address + 3, 77);
    expect([bound, buffer.bytes[3]]).toEqual([1, 77]);
    expect(scratchAddress >= buffer.address + 512 || scratchAddress + 256 <= buffer.address).toBe(true);
  });
});
