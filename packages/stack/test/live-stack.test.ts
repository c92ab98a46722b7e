import { CevError, JointLayer } from "@cev/core";
import type { Layer, NamedLayer, OpenedDevice } from "@cev/core";
import { MemoryLayer, NoOpLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openStack } from "../src/open-stack.ts";
import type { Stack } from "../src/stack.ts";
import { environment, failureOf } from "./helpers.ts";
import { HangingLayer, SIZE, filter, namesOf, openBench } from "./live-bench.ts";

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

  test("S3 puts layers in and takes them out in any order, tells so, and describes what runs now", async () => {
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

  test("follows other names of a device in its description", async () => {
    const { stack } = await openBench({
      devices: { a: { driver: "spare", size: SIZE }, top: { driver: "filter", lower: "a/0" } },
      exports: { disk: "a/0" },
    });
    await stack.live!.insert("disk", { driver: "filter", name: "between" });
    expect(stack.describe()).toEqual({
      devices: {
        a: { driver: "spare", size: SIZE },
        top: { driver: "filter", lower: "between" },
        between: { driver: "filter", lower: "a" },
      },
      exports: { disk: "between" },
    });
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
      says: /something else may be read .* --changes-content$/,
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
      what: "options that say where it stands",
      run: (stack: Stack) => stack.live!.insert("d0", { driver: "filter", options: { lower: "d1" } }),
      code: "CEV_INVALID",
      says: /lower is no option/,
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
    const above = await failureOf(stack.live!.insert("top", { driver: "filter" }));
    expect(above).toMatchObject({ code: "CEV_DEVICE_LOST" });
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

  test("says of a layer that took too long to open what that said, and nothing of requests", async () => {
    const disk = new MemoryLayer(environment, { size: SIZE });
    const slow = {
      ...filter,
      name: "slow",
      open: () => Promise.reject(new CevError("CEV_TIMED_OUT", "nobody answered", { hint: "wake it" })),
    };
    const stack = await openStack(
      { devices: {} },
      { environment, drivers: [slow], isLive: true, layers: [{ name: "d", layer: disk }] },
    );
    expect((await failureOf(stack.live!.insert("d", { driver: "slow" }))).line).toBe(
      "nobody answered; wake it",
    );
    await stack.close();
  });

  test("does not wait for a driver that never ends, nor for the change that does, longer than it may", async () => {
    const disk = new MemoryLayer(environment, { size: SIZE });
    const opening = Promise.withResolvers<readonly OpenedDevice[]>();
    const begun = Promise.withResolvers<undefined>();
    let below: Layer | null = null;
    const endless = {
      ...filter,
      name: "endless",
      open: ({ lowers }: { readonly lowers: readonly NamedLayer[] }) => {
        below = lowers[0]!.layer;
        begun.resolve(undefined);
        return opening.promise;
      },
    };
    const stack = await openStack(
      { devices: {} },
      { environment, drivers: [endless, filter], isLive: true, layers: [{ name: "d", layer: disk }] },
    );
    const device = await stack.open("d");
    const controller = new AbortController();
    const steps: string[] = [];
    const first = failureOf(
      stack.live!.insert(
        "d",
        { driver: "endless" },
        { signal: controller.signal, onStep: (step) => void steps.push(step) },
      ),
    );
    await begun.promise;
    const second = await failureOf(stack.live!.insert("d", { driver: "filter" }, { timeoutMs: 1 }));
    expect(second).toMatchObject({ code: "CEV_TIMED_OUT" });
    expect(second.line).toBe("the change before it did not end within 1 ms, and nothing was changed");
    controller.abort();
    expect(await first).toMatchObject({ code: "CEV_CANCELLED" });
    expect(steps).toEqual(["draining", "flushing", "changing"]);
    const timed = await failureOf(stack.live!.insert("d", { driver: "endless" }, { timeoutMs: 1 }));
    expect(timed.line).toBe("endless did not open it within 1 ms, and nothing was changed");
    // What comes too late is not used, and nothing was left behind.
    opening.resolve([{ name: null, layer: new NoOpLayer(below!), state: "clean", details: {} }]);
    await device.write(0, new Uint8Array(512).fill(1));
    await stack.live!.insert("d", { driver: "filter" }, { timeoutMs: 60_000 });
    expect(namesOf(stack)).toEqual(["d", "d+filter on d"]);
    expect(await device.read(0, 512)).toEqual(new Uint8Array(512).fill(1));
    await stack.close();
    expect(disk.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("is closed although a driver never ends", async () => {
    const disk = new MemoryLayer(environment, { size: SIZE });
    const begun = Promise.withResolvers<undefined>();
    const endless = {
      ...filter,
      name: "endless",
      open: () => {
        begun.resolve(undefined);
        return new Promise<never>(() => undefined);
      },
    };
    const stack = await openStack(
      { devices: {} },
      { environment, drivers: [endless, filter], isLive: true, layers: [{ name: "d", layer: disk }] },
    );
    const first = failureOf(stack.live!.insert("d", { driver: "endless" }));
    const second = failureOf(stack.live!.insert("d", { driver: "filter" }));
    await begun.promise;
    await stack.close();
    expect([(await first).code, (await second).code]).toEqual(["CEV_CANCELLED", "CEV_CLOSED"]);
    expect(disk.claims).toMatchObject({ openCount: 0, count: 0 });
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
