import { Device, environmentFrom } from "@cev/core";
import type { Driver, Json, OpenContext } from "@cev/core";
import { expect, test } from "vitest";
import { checkingDriver } from "../src/drivers/checking.ts";
import { noOpDriver } from "../src/drivers/no-op.ts";
import { pauseDriver } from "../src/drivers/pause.ts";
import { statisticsDriver } from "../src/drivers/statistics.ts";
import { throttleDriver } from "../src/drivers/throttle.ts";
import { MemoryLayer, Random } from "../src/index.ts";

const SIZE = 65_536;
const environment = environmentFrom(globalThis);

type Filter = Pick<Driver, "name" | "isFilter"> & {
  open(context: OpenContext<never>): ReturnType<Driver["open"]>;
};
const FILTERS: readonly (readonly [string, Filter, { readonly [key: string]: Json }])[] = [
  ["checking", checkingDriver, {}],
  ["no-op", noOpDriver, {}],
  ["no-op, with async methods", noOpDriver, { isAsync: true }],
  ["pause", pauseDriver, {}],
  ["statistics", statisticsDriver, {}],
  ["throttle", throttleDriver, { latencyMs: 1, bytesPerSecond: 1e9 }],
];

async function opened(
  filter: Filter,
  options: { readonly [key: string]: Json },
  lower: MemoryLayer,
): Promise<Device> {
  const context: OpenContext<unknown> = {
    environment,
    options,
    lowers: [{ name: "d0", layer: lower }],
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => expect.unreachable(problem.message),
  };
  const [device] = await filter.open(context as OpenContext<never>);
  return Device.open(device!.layer, environment);
}

test.each(FILTERS)(
  "S3 a filter shows what lies below it, and leaves there what is written: %s",
  async (_name, filter, options) => {
    const random = new Random(3);
    const contents = random.bytes(SIZE);
    const lower = new MemoryLayer(environment, { size: SIZE, contents });
    expect(filter.isFilter).toBe(true);
    const device = await opened(filter, options, lower);
    expect(await device.read(0, SIZE)).toEqual(contents);
    for (let count = 0; count < 20; count++) {
      const bytes = random.bytes(1 + random.below(5000));
      const offset = random.below(SIZE - bytes.length);
      await device.write(offset, bytes, { fua: count % 2 === 0 });
      contents.set(bytes, offset);
    }
    await device.writeZeroes(8192, 4096);
    contents.fill(0, 8192, 8192 + 4096);
    await device.flush();
    expect(await device.read(0, SIZE)).toEqual(contents);
    await device.close();
    // Without it, the same is found: nothing of the filter's own is stored there.
    await using below = await Device.open(lower, environment);
    expect(await below.read(0, SIZE)).toEqual(contents);
  },
);
