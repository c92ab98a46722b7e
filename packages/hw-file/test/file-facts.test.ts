import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentFrom } from "@cev/core";
import { fc, test as property } from "@fast-check/vitest";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endByReading } from "../src/file-facts.ts";
import { FileLayer, fileOptions, inspectFile } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const coded = (code: string): unknown => expect.objectContaining({ code });
let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "cev-facts-"))));
afterAll(() => rm(folder, { recursive: true }));

describe("inspectFile", () => {
  test("tells size and identity of a regular file, and null where there is none", async () => {
    const path = join(folder, "file");
    await writeFile(path, new Uint8Array(700));
    expect(await inspectFile(path)).toMatchObject({ isBlockDevice: false, size: 700, logicalBlockSize: 512 });
    expect(await inspectFile(join(folder, "none"))).toBeNull();
  });

  test("refuses what holds no blocks", async () => {
    await mkdir(join(folder, "sub"));
    await expect(inspectFile(join(folder, "sub"))).rejects.toThrow(coded("CEV_INVALID"));
    await expect(inspectFile("/dev/null")).rejects.toThrow(coded("CEV_INVALID"));
  });

  property.prop([fc.nat(5_000_000), fc.constantFrom(512, 4096)], { numRuns: 50 })(
    "the end of a device is found by reading alone",
    async (blocks, blockSize) => {
      const size = blocks * blockSize;
      let reads = 0;
      const handle = {
        read: (_data: unknown, _at: unknown, length: number, offset: number) => {
          reads++;
          // Every third block is bad: that is not the end.
          if (offset < size && (offset / blockSize) % 3 === 1)
            return Promise.reject(Object.assign(new Error("bad"), { code: "EIO" }));
          return Promise.resolve({ bytesRead: Math.max(0, Math.min(length, size - offset)) });
        },
      };
      expect(await endByReading(handle as never, blockSize)).toBe(size);
      expect(reads).toBeLessThan(60);
    },
  );
});

describe("FileLayer.at", () => {
  test("a missing file is CEV_NOT_FOUND and names the path", async () => {
    const path = join(folder, "missing");
    await expect(FileLayer.at(environment, { path })).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
      place: { source: path },
    });
  });

  test("a size that is not the file's is refused: nothing is resized", async () => {
    const path = join(folder, "sized");
    await writeFile(path, new Uint8Array(1024));
    const options = { path, create: true, size: 2048 };
    await expect(FileLayer.at(environment, options)).rejects.toThrow(coded("CEV_INVALID"));
  });

  test("a file that was replaced by a shorter one before it was opened is refused", async () => {
    const path = join(folder, "replaced");
    await writeFile(path, new Uint8Array(1024));
    const layer = await FileLayer.at(environment, { path });
    await rm(path);
    await writeFile(path, new Uint8Array(512));
    await expect(layer.open()).rejects.toThrow(coded("CEV_IO"));
  });
});

describe("options", () => {
  test.each([
    ["no object", 5, []],
    ["no path", {}, ["path"]],
    ["a path with a zero byte", { path: "a\0b" }, ["path"]],
    ["create without a size", { path: "a", create: true }, ["size"]],
    ["create of what is read-only", { path: "a", create: true, size: 512, readOnly: true }, ["create"]],
    ["a size of no whole sectors", { path: "a", size: 700 }, ["size"]],
    ["an unknown option", { path: "a", readonly: true }, ["readonly"]],
    ["a word for a truth value", { path: "a", readOnly: "yes" }, ["readOnly"]],
  ])("%s is refused, with its path", async (_what, value, path) => {
    expect(fileOptions["~standard"].validate(value)).toMatchObject({ issues: [{ path }] });
    await expect(FileLayer.at(environment, value as never)).rejects.toThrow(coded("CEV_INVALID"));
  });
});
