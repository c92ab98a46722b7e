import { CevError, Op } from "@cev/core";
import type { Io } from "@cev/core";
import { MemoryLayer, NoOpLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openStack } from "../src/open-stack.ts";
import type { StackDescription } from "../src/index.ts";
import { environment, failureOf } from "./helpers.ts";
import { SIZE, filter, namesOf, openBench } from "./live-bench.ts";

class DirtyLayer extends NoOpLayer {
  override submit(io: Io): void {
    if (io.op === Op.flush) io.complete(new CevError("CEV_IO", "the cache is broken"));
    else super.submit(io);
  }
}

/** A device `n` that is exported as `n`. */
const own: StackDescription = {
  devices: { a: { driver: "spare", size: SIZE }, n: { driver: "filter", lower: "a" } },
  exports: { n: "n" },
};

describe("names in a live stack", () => {
  test("of exports stay, also of one that is called as its device, and what it describes can be opened", async () => {
    const { stack } = await openBench(own);
    await stack.live!.insert("n", { driver: "filter" });
    const description = stack.describe();
    expect(description.exports).toEqual({ n: "n+filter" });
    expect(stack.find("n").name).toBe("n+filter");
    await stack.close();
    const { stack: again } = await openBench(description);
    expect(namesOf(again)).toEqual(["a", "n on a", "n+filter on n"]);
    expect(again.find("n").name).toBe("n+filter");
    // A change means the device of that name, as the tree tells it.
    await again.live!.remove("n");
    expect(namesOf(again)).toEqual(["a", "n+filter on a"]);
    expect(again.describe().exports).toEqual({ n: "n+filter" });
  });

  test.for(["__proto__", "constructor", "prototype", "", "x/*"])(
    "cannot be %j, which no stack file may have either",
    async (name) => {
      const { stack } = await openBench();
      expect((await failureOf(stack.live!.insert("d0", { driver: "filter", name }))).code).toBe(
        "CEV_INVALID",
      );
      expect(namesOf(stack)).toEqual(["d0", "d1", "top on d0, d1"]);
    },
  );

  test("stand in the error where what was written cannot be flushed, with what becomes of it", async () => {
    const layer = new DirtyLayer(new MemoryLayer(environment, { size: SIZE }));
    const stack = await openStack(
      { devices: {} },
      { environment, drivers: [filter], isLive: true, layers: [{ name: "d", layer }] },
    );
    const device = await stack.open("d");
    expect(await failureOf(stack.live!.insert("d", { driver: "filter" }))).toEqual({
      code: "CEV_IO",
      line: "d: what was written could not be flushed: the cache is broken; nothing was changed, and the next flush from above gets the error",
    });
    expect((await failureOf(device.flush())).code).toBe("CEV_IO");
    expect(namesOf(stack)).toEqual(["d"]);
    await stack.close().catch(() => undefined);
  });
});
