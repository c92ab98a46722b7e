/** Running stacks are changed with the drivers of the test kit, as `cev` knows them. */
import { join } from "node:path";
import { environmentFrom } from "@cev/core";
import type { Device } from "@cev/core";
import { openStack } from "@cev/stack";
import type { Stack, StackDescription } from "@cev/stack";
import { describe, expect, onTestFinished, test } from "vitest";
import { StackControlServer } from "../src/control/server.ts";
import { standardDrivers } from "../src/standard-drivers.ts";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

interface Served {
  readonly path: string;
  readonly stack: Stack;
  readonly device: Device;
}

async function served(devices: StackDescription["devices"], exported = "d"): Promise<Served> {
  const path = join(temporaryFolder(), "control");
  const stack = await openStack(
    {
      devices: { d: { driver: "@cev/hw-ramdisk", size: 1 << 20 }, ...devices },
      exports: { out: exported },
    },
    { environment: environmentFrom(globalThis), drivers: standardDrivers(), isLive: true },
  );
  const server = new StackControlServer(stack.live!, "stack.yaml");
  await server.listen(path);
  const device = await stack.open("out");
  onTestFinished(async () => {
    await server.close();
    await stack.close();
  });
  return { path, stack, device };
}

const control = async (...args: string[]): Promise<{ status: number | null; out: string; err: string }> => {
  const { status, stdout, stderr } = await run(["control", ...args]);
  return { status, out: stdout.toString(), err: stderr };
};

const shape = (stack: Stack): string[] =>
  stack.live!.tree().devices.map(({ name, driver, lowers }) => `${name}: ${driver} on ${lowers.join()}`);

describe("layers of the test kit", () => {
  test("are put in, exchanged and taken out by their names", async () => {
    const { path, device, stack } = await served({});
    const driver = (name: string): string[] => ["--driver", `@cev/test-kit/${name}`];
    expect(
      await control(path, "insert", "--above", "d", ...driver("throttle"), "--option", "latencyMs=1"),
    ).toEqual({ status: 0, out: "d+throttle is put in\n", err: "" });
    await device.write(0, new Uint8Array(4096).fill(7));
    expect((await control(path, "replace", "d+throttle", ...driver("checking"))).status).toBe(0);
    expect(
      (await control(path, "insert", "--above", "d", ...driver("no-op"), "--option", "isAsync=true")).out,
    ).toBe("d+no-op is put in\n");
    expect(await device.read(0, 4096)).toEqual(new Uint8Array(4096).fill(7));
    expect(shape(stack)).toEqual([
      "d: @cev/hw-ramdisk on ",
      "d+no-op: @cev/test-kit/no-op on d",
      "d+throttle: @cev/test-kit/checking on d+no-op",
    ]);
    for (const name of ["d+no-op", "d+throttle"]) await control(path, "remove", name);
    expect(shape(stack)).toEqual(["d: @cev/hw-ramdisk on "]);
    expect(await device.read(0, 4096)).toEqual(new Uint8Array(4096).fill(7));
  });

  test("that may lose or change what is stored are only put in and taken out where that is allowed", async () => {
    const { path, stack, device } = await served(
      {
        cache: { driver: "@cev/test-kit/power-cut", lower: "d", cutAfterWrites: 3 },
      },
      "cache",
    );
    const before = shape(stack);
    const refused = {
      status: 1,
      out: "",
      err: expect.stringMatching(/power-cut something else may be read .*--changes-content/) as unknown,
    };
    await device.write(0, new Uint8Array(512).fill(1));
    expect(await control(path, "remove", "cache")).toEqual(refused);
    expect(await control(path, "insert", "--above", "d", "--driver", "@cev/test-kit/power-cut")).toEqual(
      refused,
    );
    expect(await control(path, "replace", "cache", "--driver", "@cev/test-kit/no-op")).toEqual(refused);
    expect(shape(stack)).toEqual(before);
    // Where it is allowed, what was acknowledged is flushed first.
    expect((await control(path, "remove", "cache", "--changes-content")).status).toBe(0);
    expect(shape(stack)).toEqual(["d: @cev/hw-ramdisk on "]);
    expect(await device.read(0, 512)).toEqual(new Uint8Array(512).fill(1));
  });

  test("with wrong options are refused with all that is wrong, and nothing changes", async () => {
    const { path, stack } = await served({});
    const wrong = ["--option", "latencyMs=-1", "--option", "speed=5", "--option", "seed=x"];
    const { status, err } = await control(
      path,
      "insert",
      "--above",
      "d",
      "--driver",
      "@cev/test-kit/throttle",
      ...wrong,
    );
    expect(status).toBe(1);
    expect(err).toMatch(/options\.latencyMs: .*; further options\.speed: .*; options\.seed: /);
    expect(shape(stack)).toEqual(["d: @cev/hw-ramdisk on "]);
  });
});

describe("a request that never ends", () => {
  test("keeps its place from being changed, which is said in words, and nothing has changed", async () => {
    const rules = [{ op: "read", count: 1, fault: "hang" }];
    const { path, stack, device } = await served(
      {
        sick: { driver: "@cev/test-kit/fault", lower: "d", rules },
      },
      "sick",
    );
    const before = [shape(stack), stack.describe()];
    const ending = new AbortController();
    const hanging = device.read(0, 512, { signal: ending.signal }).catch((error: unknown) => error);
    const late = ["--timeout", "0.01"];
    const inserting = ["insert", "--above", "out", "--driver", "@cev/test-kit/no-op", ...late];
    for (const command of [inserting, ["remove", "sick", "--changes-content", ...late]]) {
      expect(await control(path, ...command)).toEqual({
        status: 1,
        out: "",
        err: expect.stringMatching(
          /^cev: sick: a request did not end within 10 ms, and nothing was changed; /,
        ) as unknown,
      });
    }
    expect([shape(stack), stack.describe()]).toEqual(before);
    // What comes after it is served, and below it the stack can be changed.
    await device.write(512, new Uint8Array(512).fill(2));
    expect(await device.read(512, 512)).toEqual(new Uint8Array(512).fill(2));
    expect((await control(path, "insert", "--above", "d", "--driver", "@cev/test-kit/no-op")).status).toBe(0);
    ending.abort();
    expect(await hanging).toMatchObject({ code: "CEV_CANCELLED" });
    expect((await control(path, "remove", "sick", "--changes-content")).status).toBe(0);
  });
});

test("two who change a stack at once get their turns", async () => {
  const { stack, device } = await served({});
  const live = stack.live!;
  const plan = { driver: "@cev/test-kit/no-op" };
  const writing = Array.from({ length: 20 }, (_, index) =>
    device.write(index * 512, new Uint8Array(512).fill(index)),
  );
  const names = await Promise.all([1, 2, 3, 4].map(async () => (await live.insert("d", plan)).name));
  expect(names.toSorted()).toEqual(["d+no-op", "d+no-op-2", "d+no-op-3", "d+no-op-4"]);
  // One of two who take out the same layer finds that it has gone.
  const ends = await Promise.allSettled([live.remove("d+no-op"), live.remove("d+no-op")]);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(ends[1]).toMatchObject({ reason: { code: "CEV_NOT_FOUND" } });
  await Promise.all([live.remove("d+no-op-3"), live.replace("d+no-op-2", plan), live.remove("d+no-op-4")]);
  await Promise.all(writing);
  expect(shape(stack)).toEqual(["d: @cev/hw-ramdisk on ", "d+no-op-2: @cev/test-kit/no-op on d"]);
  const expected = Uint8Array.from({ length: 20 * 512 }, (_, at) => Math.floor(at / 512));
  expect(await device.read(0, expected.length)).toEqual(expected);
});
