import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { closing } from "../src/closing.ts";
import { driverModule, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

afterEach(() => vi.unstubAllEnvs());

/** A folder with a stack of somebody's layer over a file of 64 KiB; `rest` is that layer. */
function project(change: (module: string) => string): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "disk.img"), new Uint8Array(65_536));
  writeFileSync(join(cwd, "content"), new Uint8Array(512));
  writeFileSync(join(cwd, "mine.mjs"), change(driverModule("this.lowers[0].submit(io);")));
  const devices =
    'disk: { driver: "@cev/hw-file", path: disk.img }, rest: { driver: ./mine.mjs, lower: disk }';
  writeFileSync(join(cwd, "stack.yaml"), `devices: { ${devices} }\n`);
  return cwd;
}

const stuck = (module: string): string =>
  module.replace(
    "async open() {}",
    'async open() { this.lowers[0].claims.acquire(this, "write", "x"); throw new Error("oops in open"); }',
  );
const IN = ["copy", "stack.yaml", "--device", "rest", "--from", "content"];

describe("what a layer of somebody's throws is told, and not what comes of it", () => {
  test("at opening: with the stack file, the device and the driver, one line alone", async () => {
    const cwd = project(stuck);
    for (const args of [
      IN,
      ["copy", "stack.yaml", "--device", "rest", "--to", "out"],
      ["serve", "stack.yaml", "--socket", "s"],
    ]) {
      const { status, stderr } = await run(args, { cwd });
      expect(stderr).toBe("cev: stack.yaml: devices.rest: the driver odd failed: oops in open\n");
      expect(status).toBe(1);
    }
  });

  test("at a flush: the device, and that it was thrown", async () => {
    const cwd = project((module) =>
      module.replace("submit(io) {", "submit(io) { if (io.op === 2) throw new Error('oops');"),
    );
    const { status, stderr } = await run(IN, { cwd });
    expect(stderr).toContain("rest: the submit of a layer threw: oops");
    expect(status).toBe(1);
  });

  test("with CEV_DEBUG also where it was thrown, through all that it caused", async () => {
    const cwd = project(stuck);
    vi.stubEnv("CEV_DEBUG", "1");
    const { stderr } = await run(IN, { cwd });
    expect(stderr).toMatch(/caused by: Error: oops in open\n\s+at OddLayer\.open \(.*mine\.mjs/);
  });
});

describe("closing", () => {
  const fails = (words: string) => (): Promise<never> => Promise.reject(new Error(words));

  test.each([
    ["the work alone", "work", null, "work", ""],
    ["closing alone", null, "close", "close", ""],
    ["both", "work", "close", "work", "cev: warning: it could not be closed either: close\n"],
    ["both in the same words", "same", "same", "same", ""],
  ])("where %s fails, that is thrown first", async (_what, work, close, thrown, told) => {
    let stderr = "";
    const spy = vi
      .spyOn(process.stderr, "write")
      .mockImplementation((text) => (stderr += String(text)) !== "");
    const open = { close: close === null ? (): Promise<void> => Promise.resolve() : fails(close) };
    await expect(
      closing(open, work === null ? (): Promise<void> => Promise.resolve() : fails(work)),
    ).rejects.toThrow(thrown);
    spy.mockRestore();
    expect(stderr).toBe(told);
  });

  test("where nothing fails, it gives what the work gave, and it is closed", async () => {
    const close = vi.fn(() => Promise.resolve());
    expect(await closing({ close }, () => Promise.resolve(7))).toBe(7);
    expect(close).toHaveBeenCalledTimes(1);
  });
});
