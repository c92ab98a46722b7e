import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import type { OpenedDevice, Problem } from "@cev/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileDriver } from "../src/index.ts";
import type { FileOptions } from "../src/index.ts";

const environment = environmentFrom(globalThis);
let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "cev-driver-"))));
afterAll(() => rm(folder, { recursive: true }));

async function open(options: FileOptions, isReadOnly: boolean): Promise<[OpenedDevice, Problem[]]> {
  const problems: Problem[] = [];
  const [device] = await fileDriver.open({
    environment,
    options,
    lowers: [],
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: folder,
    report: (problem) => problems.push(problem),
  });
  return [device!, problems];
}

describe("the driver", () => {
  test("starts relative paths at the directory, and reports what is left out at the end", async () => {
    await writeFile(join(folder, "odd.img"), new Uint8Array(1500).fill(1));
    const [{ layer, details }, problems] = await open({ path: "odd.img" }, false);
    expect(details).toEqual({
      path: join(folder, "odd.img"),
      size: 1024,
      readOnly: false,
      bytesIgnored: 1500 % 512,
    });
    expect(problems).toMatchObject([{ severity: "warning", code: "CEV_OUT_OF_RANGE" }]);
    const device = await Device.open(layer, environment);
    await device.write(1020, Uint8Array.of(1, 2, 3, 4));
    await device.close();
    expect((await stat(join(folder, "odd.img"))).size).toBe(1500);
  });

  test("makes nothing in a stack that is opened read-only", async () => {
    const opening = open({ path: "new.img", create: true, size: 1024 }, true);
    const hint: unknown = expect.stringMatching(/for reading alone is never made/);
    await expect(opening).rejects.toMatchObject({ code: "CEV_NOT_FOUND", place: { hint } });
    await expect(stat(join(folder, "new.img"))).rejects.toMatchObject({ code: "ENOENT" });
    const [{ layer }] = await open({ path: "new.img", create: true, size: 1024 }, false);
    await expect(stat(join(folder, "new.img"))).rejects.toMatchObject({ code: "ENOENT" });
    await layer.open();
    await layer.close();
    expect((await stat(join(folder, "new.img"))).size).toBe(1024);
  });
});
