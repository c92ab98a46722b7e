import type { Driver, OpenContext } from "@cev/core";
import { NoOpLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { DriverRegistry, openStack } from "../src/index.ts";
import type { OpenStackOptions, StackDescription } from "../src/index.ts";
import { driverOf, environment, failureOf, matching, memoryDriver } from "./helpers.ts";

/** A driver that has another one do its work. */
const askingDriver = (other: string, options: unknown = {}): Driver =>
  driverOf({
    name: "asking",
    lowers: { countMin: 1, countMax: 4 },
    open: (context) => context.openWith!(other, { options, lowers: context.lowers }),
  });

/** Remembers what it was given. */
function engineDriver(seen: OpenContext<unknown>[]): Driver {
  return driverOf({
    name: "engine",
    lowers: { countMin: 1, countMax: 2 },
    options: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          (value as { readonly is?: string }).is === "wrong"
            ? { issues: [{ message: "wrong is no option" }] }
            : { value: { given: value } },
      },
    },
    open(context) {
      seen.push(context);
      const layer = new NoOpLayer(context.lowers[0]!.layer);
      return Promise.resolve([{ name: "engine/one", layer, state: "running", details: {} }]);
    },
  });
}

const description: StackDescription = {
  devices: { m: { driver: "memory" }, top: { driver: "asking", lower: "m" } },
};

function stackOf(
  asking: Driver,
  seen: OpenContext<unknown>[] = [],
  more: Partial<OpenStackOptions> = {},
): ReturnType<typeof openStack> {
  const drivers = new DriverRegistry([memoryDriver, asking, engineDriver(seen)]);
  return openStack(description, { environment, drivers, source: "stack.yaml", ...more });
}

describe("a driver that has another open a device", () => {
  test("gets its devices, and yields them as its own", async () => {
    const seen: OpenContext<unknown>[] = [];
    await using stack = await stackOf(askingDriver("engine", { is: "right" }), seen);
    expect(stack.find("top").state).toBe("running");
    expect(stack.find("top").driver).toBe("asking");
    await using device = await stack.open("top");
    await device.write(0, new Uint8Array(512).fill(7));
    expect(seen[0]!.options).toEqual({ given: { is: "right" } });
  });

  test("passes on whether anything may be written, and none of its keys", async () => {
    const seen: OpenContext<unknown>[] = [];
    const keys = [new Uint8Array([1])];
    await using stack = await stackOf(askingDriver("engine"), seen, { isReadOnly: true, keys });
    expect(stack.devices).toHaveLength(2);
    expect(seen.map(({ isReadOnly, keySource }) => [isReadOnly, keySource.keys.length])).toEqual([[true, 0]]);
  });

  test("hears what the other driver reports where it wants to; otherwise the stack does", async () => {
    const reporting = (heard: string[] | null): Driver =>
      driverOf({
        name: "asking",
        lowers: { countMin: 1, countMax: 4 },
        open: (context) =>
          context.openWith!("engine", {
            options: {},
            lowers: context.lowers,
            ...(heard === null ? {} : { report: ({ message }) => void heard.push(message) }),
          }),
      });
    const engine = driverOf({
      name: "engine",
      lowers: { countMin: 1, countMax: 2 },
      open(context) {
        context.report({ severity: "warning", code: "CEV_DEGRADED", message: "one is missing" });
        return Promise.resolve([
          { name: null, layer: new NoOpLayer(context.lowers[0]!.layer), state: "running", details: {} },
        ]);
      },
    });
    const heard: string[] = [];
    for (const [list, problemCount] of [
      [null, 1],
      [heard, 0],
    ] as const) {
      const drivers = new DriverRegistry([memoryDriver, reporting(list), engine]);
      await using stack = await openStack(description, { environment, drivers, source: "stack.yaml" });
      expect(stack.problems).toHaveLength(problemCount);
    }
    expect(heard).toEqual(["one is missing"]);
  });

  test("is told when there is no such driver", async () => {
    expect(await failureOf(stackOf(askingDriver("@cev/none")))).toEqual({
      code: "CEV_NOT_FOUND",
      line: matching(/no driver @cev\/none/),
    });
  });

  test("is told when the other driver does not know what it asks for, or wants other devices", async () => {
    expect(await failureOf(stackOf(askingDriver("engine", { is: "wrong" })))).toEqual({
      code: "CEV_INVALID",
      line: matching(/asking asked engine for what it does not know: wrong is no option/),
    });
    const three = driverOf({
      name: "asking",
      lowers: { countMin: 1, countMax: 4 },
      open: (context) => {
        const [lower] = context.lowers;
        return context.openWith!("engine", { options: {}, lowers: [lower!, lower!, lower!] });
      },
    });
    expect(await failureOf(stackOf(three))).toEqual({
      code: "CEV_INVALID",
      line: matching(/engine stands on 1 to 2 devices/),
    });
  });
});
