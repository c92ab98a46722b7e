import { CompoundIoPool, JointLayer, LayerBase, Op, concatenate, refuse } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { MemoryLayer, NoOpLayer } from "@cev/test-kit";
import { describe, expect, onTestFinished, test } from "vitest";
import { openStack } from "../src/open-stack.ts";
import type { Stack } from "../src/stack.ts";
import type { StackDescription } from "../src/index.ts";
import { driverOf, environment, failureOf, passDriver, tailOf } from "./helpers.ts";

const SIZE = 65_536;
const HALF = SIZE / 2;

/** Sends each half of a request to one of two disks. */
class PairLayer extends LayerBase {
  readonly name = "pair";
  readonly limits: Limits;
  readonly support: Support;
  readonly #pool = new CompoundIoPool(this);

  constructor(lowers: readonly Layer[]) {
    super(lowers);
    this.limits = lowers[0]!.limits;
    this.support = lowers[0]!.support;
  }

  submit(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    const compound = this.#pool.over(io, concatenate);
    const [first, second] = this.lowers;
    if (io.op === Op.flush) {
      compound.add(first!, Op.flush, 0, 0);
      compound.add(second!, Op.flush, 0, 0);
    } else {
      const half = io.length / 2;
      const { op, offset, data, dataOffset, flags } = io;
      compound.add(first!, op, offset, half, data, dataOffset, flags);
      compound.add(second!, op, offset + half, half, data, dataOffset + half, flags);
    }
    compound.submit();
  }

  describe(): LayerDescription {
    return { driver: "pair", options: {}, lowers: this.lowers.map((one) => one.describe()) };
  }
}

/** Keeps requests for as long as it is told to. */
class HangingLayer extends NoOpLayer {
  isHanging = false;
  readonly #waiting: Io[] = [];

  override submit(io: Io): void {
    if (this.isHanging) this.#waiting.push(io);
    else super.submit(io);
  }

  goOn(): void {
    this.isHanging = false;
    for (const io of this.#waiting.splice(0)) super.submit(io);
  }
}

interface Bench {
  readonly stack: Stack;
  readonly disks: readonly MemoryLayer[];
  /** Layers by what their entries say, in the order in which they were made. */
  readonly made: readonly NoOpLayer[];
}

const filter = { ...passDriver, name: "filter", isFilter: true };

async function openBench(description?: StackDescription, isLive = true): Promise<Bench> {
  const disks = [0, 1].map(() => new MemoryLayer(environment, { size: SIZE }));
  const made: NoOpLayer[] = [];
  let failureCount = 0;
  const drivers = [
    { ...filter, open: filterOpen },
    driverOf({ name: "storing" }),
    driverOf({
      name: "spare",
      lowers: { countMin: 0, countMax: 0 },
      open: ({ options }) =>
        Promise.resolve([
          {
            name: null,
            layer: new MemoryLayer(environment, { size: (options as { size: number }).size }),
            state: "clean",
            details: {},
          },
        ]),
    }),
    driverOf({
      name: "short",
      isFilter: true,
      open: ({ lowers }) =>
        Promise.resolve([{ name: null, layer: tailOf(lowers[0]!.layer), state: "clean", details: {} }]),
    }),
    driverOf({
      name: "failing",
      isFilter: true,
      open: () => Promise.reject(new Error("not today")),
    }),
    driverOf({
      name: "once",
      open: ({ lowers }) => {
        if (++failureCount > 1) return Promise.reject(new Error("not twice"));
        return Promise.resolve([
          { name: null, layer: new NoOpLayer(lowers[0]!.layer), state: "clean", details: {} },
        ]);
      },
    }),
    driverOf({
      name: "pair",
      lowers: { countMin: 2, countMax: 2 },
      open: ({ lowers }) =>
        Promise.resolve([
          { name: null, layer: new PairLayer(lowers.map((one) => one.layer)), state: "clean", details: {} },
        ]),
    }),
  ];
  const usesDisks = description === undefined || JSON.stringify(description).includes("d0");
  const stack = await openStack(
    description ?? {
      devices: {
        top: { driver: "pair", members: ["d0", "d1"] },
      },
      exports: { out: "top" },
    },
    {
      environment,
      drivers,
      isLive,
      layers: usesDisks ? disks.map((layer, index) => ({ name: `d${index}`, layer })) : [],
    },
  );
  onTestFinished(() => stack.close());
  return { stack, disks, made };

  function filterOpen({ lowers }: Parameters<typeof filter.open>[0]): ReturnType<typeof filter.open> {
    const layer = new NoOpLayer(lowers[0]!.layer);
    made.push(layer);
    return Promise.resolve([{ name: null, layer, state: "clean", details: {} }]);
  }
}

const namesOf = (stack: Stack): string[] =>
  stack
    .live!.tree()
    .devices.map(({ name, lowers }) => (lowers.length === 0 ? name : `${name} on ${lowers.join(", ")}`));

describe("a live stack", () => {
  test("is only there where it was asked for, and then has a joint on each device", async () => {
    const { stack: plain } = await openBench(undefined, false);
    expect(plain.live).toBeNull();
    expect(plain.devices.some(({ layer }) => layer instanceof JointLayer)).toBe(false);
    const { stack } = await openBench();
    expect(stack.devices.every(({ layer, own }) => layer instanceof JointLayer && layer.below === own)).toBe(
      true,
    );
  });

  test("puts layers in and takes them out in any order, tells so, and describes what runs now", async () => {
    const { stack, disks } = await openBench();
    const live = stack.live!;
    const device = await stack.open("out");
    await device.write(0, new Uint8Array(1024).fill(1));
    await live.insert("d0", { driver: "filter" });
    await live.insert("d0+filter", { driver: "filter", name: "second" });
    await live.insert("d0", { driver: "filter" });
    await live.insert("out", { driver: "filter", name: "lid" });
    expect(namesOf(stack)).toEqual([
      "d0",
      "d0+filter-2 on d0",
      "d0+filter on d0+filter-2",
      "second on d0+filter",
      "d1",
      "top on second, d1",
      "lid on top",
    ]);
    expect(stack.describe()).toEqual({
      devices: {
        top: { driver: "pair", members: ["second", "d1"] },
        "d0+filter": { driver: "filter", lower: "d0+filter-2" },
        second: { driver: "filter", lower: "d0+filter" },
        "d0+filter-2": { driver: "filter", lower: "d0" },
        lid: { driver: "filter", lower: "top" },
      },
      exports: { out: "lid" },
    });
    expect(stack.find("out").name).toBe("lid");
    await device.write(1024, new Uint8Array(1024).fill(2));
    for (const name of ["d0+filter", "lid", "d0+filter-2", "second"]) await live.remove(name);
    expect(namesOf(stack)).toEqual(["d0", "d1", "top on d0, d1"]);
    expect(stack.describe()).toEqual({
      devices: { top: { driver: "pair", members: ["d0", "d1"] } },
      exports: { out: "top" },
    });
    expect(await device.read(0, 1024)).toEqual(new Uint8Array(1024).fill(1));
    expect(await device.read(1024, 1024)).toEqual(new Uint8Array(1024).fill(2));
    await stack.close();
    for (const disk of disks) expect(disk.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("opens anew from its description as it runs", async () => {
    const { stack } = await openBench();
    await stack.live!.insert("top", { driver: "filter", name: "lid" });
    const description = stack.describe();
    await stack.close();
    const { stack: again } = await openBench(description);
    expect(namesOf(again)).toEqual(["d0", "d1", "top on d0, d1", "lid on top"]);
    // A filter that was there from the beginning goes as well.
    const device = await again.open("out");
    await again.live!.remove("lid");
    await device.write(0, new Uint8Array(512).fill(3));
    expect(namesOf(again)).toEqual(["d0", "d1", "top on d0, d1"]);
  });

  test("leaves no layer open that was taken out, and no claim behind when it is closed", async () => {
    const { stack, disks, made } = await openBench();
    await stack.open("out");
    await stack.live!.insert("d0", { driver: "filter" });
    await stack.live!.replace("d0+filter", { driver: "filter" });
    expect(made.map(({ claims }) => claims.openCount)).toEqual([0, 1]);
    await stack.live!.remove("d0+filter");
    expect(made[1]!.claims.openCount).toBe(0);
    await stack.close();
    for (const disk of disks) expect(disk.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test.for([
    {
      what: "an unknown device",
      run: (stack: Stack) => stack.live!.insert("d9", { driver: "filter" }),
      code: "CEV_NOT_FOUND",
      says: /no device d9/,
    },
    {
      what: "an unknown driver",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "no" }),
      code: "CEV_NOT_FOUND",
      says: /no driver no/,
    },
    {
      what: "what stores something",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "storing" }),
      code: "CEV_NOT_SUPPORTED",
      says: /changes the content/,
    },
    {
      what: "what is smaller",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "short" }),
      code: "CEV_INVALID",
      says: /65024 bytes/,
    },
    {
      what: "what cannot be opened",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "failing" }),
      code: "CEV_PROGRAM",
      says: /not today/,
    },
    {
      what: "a driver of several lowers",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "pair" }),
      code: "CEV_NOT_SUPPORTED",
      says: /exactly one lower/,
    },
    {
      what: "a name that is taken",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "filter", name: "d1" }),
      code: "CEV_INVALID",
      says: /taken/,
    },
    {
      what: "to take out a disk",
      run: (stack: Stack) => stack.live!.remove("d0"),
      code: "CEV_NOT_SUPPORTED",
      says: /stands on nothing/,
    },
    {
      what: "to take out what stands on two",
      run: (stack: Stack) => stack.live!.remove("top"),
      code: "CEV_NOT_SUPPORTED",
      says: /stands on 2 devices/,
    },
  ])("refuses $what in words, and stays as it is", async ({ run, code, says }) => {
    const { stack, disks } = await openBench();
    const device = await stack.open("out");
    const before = stack.describe();
    const failure = await failureOf(run(stack));
    expect(failure).toMatchObject({ code });
    expect(failure.line).toMatch(says);
    expect(stack.describe()).toEqual(before);
    expect(namesOf(stack)).toEqual(["d0", "d1", "top on d0, d1"]);
    await device.write(0, new Uint8Array(1024).fill(5));
    await device.close();
    await stack.close();
    for (const disk of disks) expect(disk.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("puts another disk in the place of one where its content may change", async () => {
    const described = await openBench({
      devices: { a: { driver: "spare", size: SIZE }, top: { driver: "filter", lower: "a" } },
    });
    const other = await described.stack.open("top");
    await other.write(0, new Uint8Array(512).fill(1));
    const put = (size: number): Promise<unknown> =>
      described.stack.live!.replace("a", { driver: "spare", options: { size }, changesContent: true });
    expect((await failureOf(put(512))).line).toMatch(/has 512 bytes, and 65536 are in use/);
    expect(await other.read(0, 512)).toEqual(new Uint8Array(512).fill(1));
    await put(2 * SIZE);
    expect(await other.read(0, 512)).toEqual(new Uint8Array(512));
    expect(other.size).toBe(SIZE);
    expect(described.stack.describe().devices["a"]).toEqual({ driver: "spare", size: 2 * SIZE });
  });

  test("exchanges what stores something with one open at a time, and opens the old one anew where the new one fails", async () => {
    const { stack } = await openBench({
      devices: { a: { driver: "spare", size: SIZE }, top: { driver: "storing", lower: "a" } },
    });
    const device = await stack.open("top");
    await device.write(0, new Uint8Array(512).fill(1));
    await stack.live!.replace("top", { driver: "storing", changesContent: true });
    expect(await device.read(0, 512)).toEqual(new Uint8Array(512).fill(1));
    const failure = await failureOf(stack.live!.replace("top", { driver: "failing", changesContent: true }));
    expect(failure.line).toMatch(/not today/);
    expect(await device.read(0, 512)).toEqual(new Uint8Array(512).fill(1));
    expect(stack.live!.tree().devices.map(({ state }) => state)).toEqual(["clean", "clean"]);
  });

  test("keeps requests waiting where neither can be opened, says so, and serves them once something is there", async () => {
    const { stack } = await openBench({
      devices: { a: { driver: "spare", size: SIZE }, top: { driver: "once", lower: "a" } },
    });
    const device = await stack.open("top");
    const write = device.write(0, new Uint8Array(512).fill(1));
    const failure = await failureOf(stack.live!.replace("top", { driver: "failing", changesContent: true }));
    expect(failure.line).toMatch(/not today/);
    await write;
    expect(stack.live!.tree().devices[1]).toMatchObject({ name: "top", state: "held", isHeld: true });
    expect(stack.problems.at(-1)!.message).toMatch(/top could not be opened anew: .*not twice/);
    const read = device.read(0, 512);
    await stack.live!.replace("top", { driver: "storing", changesContent: true });
    expect(await read).toEqual(new Uint8Array(512).fill(1));
    expect(stack.live!.tree().devices[1]).toMatchObject({ state: "clean", isHeld: false });
  });

  test("fails what waits when it is closed with nothing there", async () => {
    const { stack } = await openBench({
      devices: { a: { driver: "spare", size: SIZE }, top: { driver: "once", lower: "a" } },
    });
    const device = await stack.open("top");
    await failureOf(stack.live!.replace("top", { driver: "failing", changesContent: true }));
    const read = failureOf(device.read(0, 512));
    await stack.close().catch(() => undefined);
    expect((await read).code).toBe("CEV_DEVICE_LOST");
  });

  test("changes nothing once it is being closed, and calls off a change that waits for requests", async () => {
    const disk = new HangingLayer(new MemoryLayer(environment, { size: SIZE }));
    const stack = await openStack(
      { devices: {} },
      { environment, drivers: [filter], isLive: true, layers: [{ name: "d", layer: disk }] },
    );
    const device = await stack.open("d");
    disk.isHanging = true;
    const read = device.read(0, 512);
    const draining = Promise.withResolvers<number>();
    const onStep = (_step: string, inFlight: number): void => draining.resolve(inFlight);
    const timed = await failureOf(stack.live!.insert("d", { driver: "filter" }, { timeoutMs: 1 }));
    expect(timed).toMatchObject({ code: "CEV_TIMED_OUT" });
    const waiting = failureOf(stack.live!.insert("d", { driver: "filter" }, { onStep }));
    expect(await draining.promise).toBe(1);
    const late = failureOf(stack.live!.insert("d", { driver: "filter" }));
    const closing = stack.close();
    expect((await waiting).code).toBe("CEV_CANCELLED");
    expect((await late).code).toBe("CEV_CLOSED");
    disk.goOn();
    await Promise.all([read, closing]);
  });
});

describe("counts and traces", () => {
  test("of a stack tell what went through each device", async () => {
    const { stack } = await openBench();
    const device = await stack.open("out");
    await device.write(0, new Uint8Array(2048));
    await device.flush();
    const { devices } = await stack.live!.stats();
    expect(devices.map(({ name, ops }) => [name, ops.write.count, ops.write.bytes, ops.flush.count])).toEqual(
      [
        ["d0", 1, 1024, 1],
        ["d1", 1, 1024, 1],
        ["top", 1, 2048, 1],
      ],
    );
    const during = stack.live!.stats({ seconds: 0.02 });
    await device.read(0, 1024);
    const counted = await during;
    expect(counted.seconds).toBeGreaterThan(0.01);
    expect(counted.devices.map(({ name, ops }) => [name, ops.read.count, ops.write.count])).toEqual([
      ["d0", 1, 0],
      ["d1", 1, 0],
      ["top", 1, 0],
    ]);
  });

  test("show a request as the tree of what it became, also through layers that are put in meanwhile", async () => {
    const { stack } = await openBench();
    const device = await stack.open("out");
    const trees = stack.live!.trace({ count: 2, op: "write" });
    const first = trees.next();
    await device.write(4096, new Uint8Array(2048), { fua: true });
    await device.read(0, 512 * 2);
    expect((await first).value).toMatchObject({
      op: "write",
      offset: 4096,
      length: 2048,
      flags: ["fua"],
      error: null,
      isOwn: false,
      passings: [
        { device: "top", direction: "down", offset: 4096 },
        { device: "top", direction: "up" },
      ],
      parts: [
        {
          splitBy: "pair",
          collation: "concatenate",
          offset: 4096,
          length: 1024,
          passings: [{ device: "d0" }, { device: "d0" }],
          parts: [],
        },
        {
          splitBy: "pair",
          offset: 5120,
          length: 1024,
          passings: [{ device: "d1" }, { device: "d1" }],
          parts: [],
        },
      ],
    });
    await stack.live!.insert("d1", { driver: "filter" });
    const second = trees.next();
    await device.write(0, new Uint8Array(1024));
    const tree = (await second).value!;
    expect(tree.parts[1]!.passings.map((one) => `${one.device} ${one.direction}`)).toEqual([
      "d1+filter down",
      "d1 down",
      "d1 up",
      "d1+filter up",
    ]);
    expect((await trees.next()).done).toBe(true);
    expect(stack.devices.every(({ layer }) => (layer as JointLayer).watcher === null)).toBe(true);
  });

  test("count what nobody takes in time, and end with the stack", async () => {
    const { stack } = await openBench();
    const device = await stack.open("out");
    let report: readonly number[] = [];
    const trees = stack.live!.trace({ device: "d0" }, (...counts) => (report = counts));
    const first = trees.next();
    for (let count = 0; count < 300; count++) await device.read(0, 1024);
    expect((await first).done).toBe(false);
    await stack.close();
    expect((await trees.next()).done).toBe(true);
    expect(report[0]).toBe(1);
    expect(report[1]).toBeGreaterThan(40);
  });
});

test("fifty layers go in and out below a pair of disks while every byte that is written is read back", async () => {
  const { stack } = await openBench();
  const device = await stack.open("out");
  let isOver = false;
  const load = async (from: number): Promise<void> => {
    for (let round = 1; !isOver; round++) {
      const data = new Uint8Array(2048).fill(round);
      await device.write(from, data);
      if (round % 5 === 0) await device.flush();
      expect(await device.read(from, 2048)).toEqual(data);
      if (round % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const loads = [0, 1, 2, 3].map((index) => load((index * HALF) / 4));
  for (let count = 0; count < 50; count++) {
    const places = ["d0", "d1", "out"];
    const inserted = await Promise.all(
      places.map((place) => stack.live!.insert(place, { driver: "filter" })),
    );
    await Promise.all(inserted.map(({ name }) => stack.live!.remove(name)));
  }
  isOver = true;
  await Promise.all(loads);
  expect(namesOf(stack)).toEqual(["d0", "d1", "top on d0, d1"]);
});
