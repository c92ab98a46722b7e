import { Device, SegmentLayer, SegmentMap, environmentFrom } from "@cev/core";
import type { Layer, LayerDescription } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { allocationContexts } from "../../src/server/contexts/allocation.ts";
import type { ContextProvider, StatusQuery } from "../../src/server/contexts/context.ts";
import { HOLDER_HAS_COPIES, holderContexts } from "../../src/server/contexts/holder.ts";
import { Export } from "../../src/server/exports/export.ts";

const BLOCK = 512;
const environment = environmentFrom(globalThis);

/** Disks one behind the other; some are shown as one of several copies. */
class LinkedLayer extends SegmentLayer {
  readonly name = "linked";
  readonly #mirrored: ReadonlySet<Layer>;

  constructor(disks: readonly Layer[], mirrored: readonly Layer[] = []) {
    let start = 0;
    const segments = disks.map((lower) => {
      const length = lower.limits.size;
      start += length;
      return { start: start - length, length, areas: [{ lower, start: 0 }], stripeSize: 0 };
    });
    super({ segments: new SegmentMap(segments), isReadOnly: false });
    this.#mirrored = new Set(mirrored);
  }

  override runs(offset: number, length: number, countMax: number): ReturnType<SegmentLayer["runs"]> {
    const runs = super.runs(offset, length, countMax);
    return runs.map((run) => ({ ...run, hasCopies: run.lower !== null && this.#mirrored.has(run.lower) }));
  }

  describe(): LayerDescription {
    return { driver: "linked", options: {}, lowers: [] };
  }
}

class NamedDisk extends MemoryLayer {
  readonly #path: string;

  constructor(path: string, blocks: string) {
    super(environment, { size: blocks.length * BLOCK });
    this.#path = path;
    Array.from(blocks).forEach(
      (block, at) => block === "d" && this.bytes.fill(1, at * BLOCK, (at + 1) * BLOCK),
    );
  }

  override describe(): LayerDescription {
    return { driver: "file", options: { path: this.#path }, lowers: [] };
  }
}

async function exportOf(layer: Layer): Promise<Export> {
  return new Export({ name: "x", device: await Device.open(layer, environment, { blockSize: BLOCK }) });
}

async function statusOf(
  provider: ContextProvider,
  target: Export,
  leaf: string,
  query: Partial<StatusQuery> = {},
): Promise<[blocks: number, status: number][]> {
  const whole = { offset: 0, length: target.device.size, countMax: 1000, isOne: false };
  const extents = await provider.find(target, leaf)!.status({ ...whole, ...query });
  return extents.map(({ length, status }) => [length / BLOCK, status]);
}

describe("base:allocation", () => {
  const provider = allocationContexts();

  test("holes are holes and zeroes, data is neither", async () => {
    const target = await exportOf(new NamedDisk("d0", "ddhhd"));
    expect(await statusOf(provider, target, "allocation")).toEqual([
      [2, 0],
      [2, 3],
      [1, 0],
    ]);
  });

  test("an answer ends with the range, and with countMax extents", async () => {
    const target = await exportOf(new NamedDisk("d0", "ddhhdhd"));
    const part = { offset: BLOCK, length: 2 * BLOCK };
    expect(await statusOf(provider, target, "allocation", part)).toEqual([
      [1, 0],
      [1, 3],
    ]);
    expect(await statusOf(provider, target, "allocation", { countMax: 2 })).toEqual([
      [2, 0],
      [2, 3],
    ]);
    expect(
      await statusOf(provider, target, "allocation", { isOne: true, offset: 2 * BLOCK, length: BLOCK }),
    ).toEqual([[1, 3]]);
  });

  test("a layer that fails is data, and is reported", async () => {
    const reported: string[] = [];
    const disk = new NamedDisk("d0", "hh");
    disk.runs = () => {
      throw new Error("broken");
    };
    const loud = allocationContexts((_error, { name }) => reported.push(name));
    expect(await statusOf(loud, await exportOf(disk), "allocation")).toEqual([[2, 0]]);
    expect(reported).toEqual(["memory"]);
  });

  test("is listed by its name and by the wildcard alone", async () => {
    const target = await exportOf(new NamedDisk("d0", "d"));
    expect(provider.list(target, "")).toEqual(["base:allocation"]);
    expect(provider.list(target, "allocation")).toEqual(["base:allocation"]);
    expect(provider.list(target, "alloc")).toEqual([]);
    expect(provider.find(target, "")).toBeNull();
    expect(provider.find(target, "alloc")).toBeNull();
  });
});

describe("x-cev:holder", () => {
  const link = (): { layer: Layer; disks: Layer[] } => {
    const disks = [
      new NamedDisk("/srv/d0.img", "dddh"),
      new NamedDisk("d1.img", "dh"),
      new NamedDisk("d2", "dd"),
    ];
    return { layer: new LinkedLayer(disks, [disks[2]!]), disks };
  };

  test("tells the number of the disk, and whether there are more copies", async () => {
    const provider = holderContexts();
    const target = await exportOf(link().layer);
    expect(await statusOf(provider, target, "holder")).toEqual([
      [3, 1],
      [1, 0],
      [1, 2],
      [1, 0],
      [2, HOLDER_HAS_COPIES + 3],
    ]);
  });

  test("the list says what the numbers mean, and each is a context of its own", async () => {
    const provider = holderContexts();
    const target = await exportOf(link().layer);
    expect(provider.list(target, "")).toEqual([
      "x-cev:holder",
      "x-cev:holder=1:d0.img",
      "x-cev:holder=2:d1.img",
      "x-cev:holder=3:d2",
    ]);
    expect(provider.list(target, "holder=2:d1.img")).toEqual(["x-cev:holder=2:d1.img"]);
    expect(provider.find(target, "holder=2:d0.img")).toBeNull();
    expect(await statusOf(provider, target, "holder=2:d1.img")).toEqual([
      [4, 0],
      [1, 1],
      [3, 0],
    ]);
    expect(await statusOf(provider, target, "holder=2:d1.img", { countMax: 2 })).toEqual([
      [4, 0],
      [1, 1],
    ]);
    expect(await statusOf(provider, target, "holder=2:d1.img", { isOne: true })).toEqual([[4, 0]]);
  });

  test("names with control characters, and long ones, are shown safely", async () => {
    const provider = holderContexts();
    const target = await exportOf(
      new LinkedLayer([new NamedDisk("a\nb\u0000", "d"), new NamedDisk("x".repeat(9999), "d")]),
    );
    const [, first, second] = provider.list(target, "");
    expect(first).toBe("x-cev:holder=1:a\\u000ab\\u0000");
    expect(new TextEncoder().encode(second).length).toBeLessThan(4096);
    expect(provider.find(target, second!.slice("x-cev:".length))).not.toBeNull();
  });
});
