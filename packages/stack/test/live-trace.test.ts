import type { JointLayer } from "@cev/core";
import { describe, expect, test } from "vitest";
import { SIZE, namesOf, openBench } from "./live-bench.ts";

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

  test("stay with a device when layers come and go on it, and begin at 0 for what is put in", async () => {
    const { stack } = await openBench();
    const device = await stack.open("out");
    const live = stack.live!;
    const writes = async (): Promise<unknown> => {
      const { devices } = await live.stats();
      return Object.fromEntries(devices.map(({ name, ops }) => [name, ops.write.count]));
    };
    const write = (): Promise<void> => device.write(0, new Uint8Array(2048));
    await write();
    await live.insert("d0", { driver: "filter", name: "lid" });
    expect(await writes()).toEqual({ d0: 1, lid: 0, d1: 1, top: 1 });
    await write();
    await live.replace("lid", { driver: "filter" });
    await write();
    expect(await writes()).toEqual({ d0: 3, lid: 2, d1: 3, top: 3 });
    await live.replace("lid", { driver: "storing", changesContent: true });
    await write();
    expect(await writes()).toEqual({ d0: 4, lid: 3, d1: 4, top: 4 });
    await live.remove("lid", { changesContent: true });
    await write();
    expect(await writes()).toEqual({ d0: 5, d1: 5, top: 5 });
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
  const loads = [0, 1, 2, 3].map((index) => load((index * SIZE) / 8));
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
