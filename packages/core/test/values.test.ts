import { describe, expect, it } from "vitest";
import {
  CevError,
  ERROR_CODES,
  FULL_SUPPORT,
  IoError,
  MetadataError,
  Op,
  ProgramError,
  READ_ONLY_SUPPORT,
  RangeLock,
  assert,
  combineLimits,
  combineSupport,
  environmentFrom,
  formatError,
  isCevError,
  narrowSupport,
  opName,
  plainLimits,
  supportOf,
} from "../src/index.ts";

describe("limits", () => {
  it("of a layer over several: it takes what all of them take", () => {
    const a = plainLimits(1 << 20, { logicalBlockSize: 4096, ioLengthMax: 1 << 16 });
    const b = plainLimits(1 << 21, { ioLengthPreferred: 65_536, discardGranularity: 8192 });
    expect(combineLimits(3_000_000, [a, b])).toEqual({
      size: 2_998_272,
      logicalBlockSize: 4096,
      physicalBlockSize: 4096,
      ioLengthMax: 65_536,
      ioLengthPreferred: 65_536,
      discardGranularity: 8192,
    });
  });

  it.each([
    [{ logicalBlockSize: 1000 }, "not a power of two"],
    [{ physicalBlockSize: 256 }, "physicalBlockSize"],
    [{ ioLengthMax: 100 }, "less than one block"],
  ])("that make no sense are refused: %o", (limits, message) => {
    expect(() => plainLimits(4096, limits)).toThrow(message);
  });

  it.each([1000, -512, 2 ** 60, Number.NaN])("a size of %d bytes is refused", (size) => {
    expect(() => plainLimits(size)).toThrow("whole number of blocks");
  });
});

describe("support", () => {
  it("narrows to what a layer forwards, and combines to what all offer", () => {
    expect(narrowSupport(FULL_SUPPORT, ["read", "flush"])).toEqual({ ...READ_ONLY_SUPPORT, flush: "native" });
    const some = { ...FULL_SUPPORT, discard: "emulated", fua: "none" } as const;
    expect(combineSupport([FULL_SUPPORT, some])).toEqual(some);
    expect([supportOf(some, Op.discard), supportOf(some, Op.flush), supportOf(some, 9 as Op)]).toEqual([
      "emulated",
      "native",
      "none",
    ]);
  });
});

describe("errors", () => {
  it("every code has its errno, its meaning and where it arises", () => {
    for (const [code, entry] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^CEV_[A-Z_]+$/);
      expect(entry.errno).toMatch(/^E[A-Z]+$/);
      expect(entry.meaning.length * entry.arises.length).toBeGreaterThan(0);
    }
  });

  it("one line says what, where and what to do next, and never a stack trace", () => {
    const error = new MetadataError("is 7, of at most 4", {
      source: "d0.img",
      structure: "md superblock",
      field: "raid_disks",
      byteOffset: 4188,
      hint: "leave this member out",
    });
    expect(formatError(error)).toBe(
      "d0.img, md superblock, field raid_disks, at byte 4188: is 7, of at most 4; leave this member out",
    );
    expect(
      formatError(
        new IoError("CEV_MEDIUM", "bad\n  sector", { layer: "file", op: "read", offset: 512, length: 512 }),
      ),
    ).toBe("file: bad sector (read of 512 bytes at 512)");
    expect([formatError(new Error("a\nb")), formatError("text")]).toEqual(["a b", "text"]);
  });

  it("those of another installed copy of core are known by their code", () => {
    const foreign = Object.assign(new Error("elsewhere"), { code: "CEV_IO", place: {} });
    expect([
      isCevError(foreign),
      isCevError(new Error("x")),
      isCevError(new CevError("CEV_IO", "y")),
    ]).toEqual([true, false, true]);
    expect(isCevError(Object.assign(new Error("enoent"), { code: "ENOENT" }))).toBe(false);
  });

  it("broken assertions are program errors", () => {
    expect(() => assert(false, "one is two")).toThrow(ProgramError);
    expect(() => assert(true, "one is one")).not.toThrow();
  });

  it("operations have names, unknown ones too", () => {
    expect([opName(Op.writeZeroes), opName(12 as Op)]).toEqual(["writeZeroes", "operation 12"]);
  });
});

describe("RangeLock", () => {
  it("lets what does not overlap go, makes what does wait, first come first served", () => {
    const lock = new RangeLock();
    const log: string[] = [];
    const held = new Map<string, Parameters<RangeLock["release"]>[0]>();
    const acquire = (name: string, offset: number, length: number, isExclusive: boolean): void =>
      lock.acquire(
        offset,
        length,
        isExclusive,
        (entry) => {
          held.set(name, entry);
          log.push(name);
        },
        null,
      );
    acquire("a", 0, 10, true);
    acquire("b", 10, 10, true);
    acquire("c", 5, 10, false);
    acquire("d", 12, 1, false);
    acquire("e", 30, 1, true);
    expect(log).toEqual(["a", "b", "e"]);
    lock.release(held.get("b")!);
    expect(log).toEqual(["a", "b", "e", "d"]);
    acquire("f", 8, 1, true);
    lock.release(held.get("a")!);
    expect(log).toEqual(["a", "b", "e", "d", "c"]);
    lock.release(held.get("c")!);
    expect(log.at(-1)).toBe("f");
    for (const name of ["d", "e", "f"]) lock.release(held.get(name)!);
    expect(lock.heldCount).toBe(0);
  });
});

describe("environmentFrom", () => {
  it("takes time, turns and chance from the scope it is given", async () => {
    const environment = environmentFrom(globalThis);
    const bytes = new Uint8Array(100_000);
    environment.random(bytes);
    expect(bytes.subarray(70_000).some((byte) => byte !== 0)).toBe(true);
    const before = environment.clock.now();
    await new Promise<void>((resolve) => environment.clock.after(1, resolve));
    expect(environment.clock.now()).toBeGreaterThan(before);
    expect(Math.abs(environment.wallClock!.now() - Date.now())).toBeLessThan(10_000);
    let fired = false;
    environment.clock.after(0, () => (fired = true)).cancel();
    await new Promise<void>((resolve) => environment.later(resolve));
    await new Promise<void>((resolve) => environment.clock.after(2, resolve));
    expect(fired).toBe(false);
  });

  it("does without setImmediate where there is none", async () => {
    const { setTimeout, clearTimeout, performance, crypto } = globalThis;
    const environment = environmentFrom({ setTimeout, clearTimeout, performance, crypto });
    await new Promise<void>((resolve) => environment.later(resolve));
    expect([environment.buffers.bytesLent, environment.wallClock]).toEqual([0, null]);
  });
});
