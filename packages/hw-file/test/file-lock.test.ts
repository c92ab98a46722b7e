import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { link, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { environmentFrom } from "@cev/core";
import type { Problem } from "@cev/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isWrittenElsewhere } from "../src/file-lock.ts";
import { FileLayer, claimFile, fileDriver } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const hasFlock = spawnSync("flock", ["--version"]).status === 0;
const coded = (code: string): unknown => expect.objectContaining({ code });
const LOCK_MODULE = new URL("../src/file-lock.ts", import.meta.url).href;
let folder = "";
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "cev-lock-"))));
afterAll(() => rm(folder, { recursive: true }));

async function newFile(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, new Uint8Array(512));
  return path;
}

const layerAt = (path: string, readOnly = false): Promise<FileLayer> =>
  FileLayer.at(environment, { path, readOnly });

describe("the claim of a writer", () => {
  test("refuses a second writer in this process, by whatever path, until it is given back", async () => {
    const path = await newFile("one");
    const alias = join(folder, "alias");
    await link(path, alias);
    const first = await layerAt(path);
    const second = await layerAt(alias);
    await first.open();
    await expect(second.open()).rejects.toThrow(coded("CEV_BUSY"));
    await first.close();
    await second.open();
    expect(second.lockScope).toBe(hasFlock ? "system" : "process");
    await second.close();
    expect(second.lockScope).toBeNull();
  });

  test("holds against whoever writes a file without a layer, both ways", async () => {
    const path = await newFile("bare");
    const layer = await layerAt(path);
    await using file = await open(path, "r+");
    await layer.open();
    await expect(claimFile(file, path)).rejects.toThrow(coded("CEV_BUSY"));
    await layer.close();
    const lock = await claimFile(file, path);
    await expect(layer.open()).rejects.toThrow(coded("CEV_BUSY"));
    lock!.release();
    await file.close();
    await layer.open();
    await layer.close();
  });

  test("is not made on what is no disk", async () => {
    await using file = await open("/dev/null", "r+");
    expect(await claimFile(file, "/dev/null")).toBeNull();
  });

  test("does not keep readers out", async () => {
    const path = await newFile("readers");
    const [writer, reader] = [await layerAt(path), await layerAt(path, true)];
    await writer.open();
    await reader.open();
    expect(reader.lockScope).toBeNull();
    await reader.close();
    await writer.close();
  });

  test.skipIf(!hasFlock)("refuses a second writer in another process (needs the flock command)", async () => {
    const path = await newFile("processes");
    const layer = await layerAt(path);
    const isFree = (): boolean => spawnSync("flock", ["-x", "-n", path, "true"]).status === 0;
    await layer.open();
    expect(isFree()).toBe(false);
    await layer.close();
    expect(isFree()).toBe(true);
  });

  test.skipIf(!hasFlock)("gives way to a writer in another process (needs the flock command)", async () => {
    const path = await newFile("other");
    const layer = await layerAt(path);
    const holder = spawn("flock", ["-x", path, "cat"], { stdio: ["pipe", "pipe", "ignore"] });
    // What comes back through `cat` says that the lock is held.
    holder.stdin.write("locked\n");
    await once(holder.stdout, "data");
    await expect(layer.open()).rejects.toThrow(coded("CEV_BUSY"));
    holder.stdin.end();
    await once(holder, "exit");
    await layer.open();
    await layer.close();
  });

  test.skipIf(!hasFlock || process.platform !== "linux")(
    "tells a reader of a writer in another process, and of none in its own",
    async () => {
      const path = await newFile("told");
      expect(await isWrittenElsewhere(path)).toBe(false);
      const layer = await layerAt(path);
      await layer.open();
      expect(await isWrittenElsewhere(path)).toBe(false);
      const other = await promisify(execFile)(process.execPath, [
        ...["--conditions=@cev/source", "--disable-warning=ExperimentalWarning", "--input-type=module", "-e"],
        `import { isWrittenElsewhere } from ${JSON.stringify(LOCK_MODULE)};
       console.log(await isWrittenElsewhere(${JSON.stringify(path)}))`,
      ]);
      expect(other.stdout).toBe("true\n");
      await layer.close();
      expect(await isWrittenElsewhere(path)).toBe(false);
      const holder = spawn("flock", ["-x", path, "cat"], { stdio: ["pipe", "pipe", "ignore"] });
      holder.stdin.write("locked\n");
      await once(holder.stdout, "data");
      expect(await isWrittenElsewhere(path)).toBe(true);
      const problems: Problem[] = [];
      const context = { environment, options: { path }, lowers: [], keySource: { keys: [] }, directory: "/" };
      const found = await fileDriver.open({
        ...{ ...context, isReadOnly: true, canWriteDegraded: false },
        report: (problem) => void problems.push(problem),
      });
      expect(found).toHaveLength(1);
      expect(problems).toMatchObject([{ severity: "warning", code: "CEV_BUSY" }]);
      holder.stdin.end();
      await once(holder, "exit");
    },
  );
});
