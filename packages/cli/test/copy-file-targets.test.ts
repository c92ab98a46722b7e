import { randomBytes } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { NbdServer } from "@cev/nbd";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const environment = environmentFrom(globalThis);

/** A folder with an image that is served for writing, and another one. */
async function setUp(): Promise<{
  readonly cwd: string;
  readonly image: string;
  readonly bytes: Buffer;
  readonly device: Device;
}> {
  const cwd = temporaryFolder();
  const image = join(cwd, "disk.img");
  const bytes = Buffer.alloc(1 << 20, "kept");
  writeFileSync(image, bytes);
  const other = join(cwd, "other.img");
  writeFileSync(other, "");
  truncateSync(other, 8192);
  const layer = await FileLayer.at(environment, { path: image });
  const device = await Device.open(layer, environment, { name: "disk" });
  const server = new NbdServer({ environment, exports: [{ name: "disk", device }] });
  await server.listen({ path: join(cwd, "s") });
  onTestFinished(async () => {
    await server.close({ isForced: true });
    await device.close();
  });
  return { cwd, image, bytes, device };
}

test("a copy onto an image that somebody else writes is refused, and not one byte of it changes", async () => {
  const { cwd, image, bytes } = await setUp();
  const args = ["copy", "other.img", "--device", "other.img", "--to", "disk.img"];
  const { status, stderr } = await run(args, { cwd });
  expect(stderr).toMatch(
    /^cev: disk\.img: is already being written by .*; nothing was written; end whoever writes/,
  );
  expect(status).toBe(1);
  expect(readFileSync(image).equals(bytes)).toBe(true);
});

test("a copy from a server onto the image that it serves is refused, and not one byte of it changes", async () => {
  const { cwd, image, bytes } = await setUp();
  const uri = "nbd+unix:///disk?socket=s";
  const { status, stderr } = await run(["copy", uri, "--device", "disk", "--to", "./disk.img"], { cwd });
  expect(stderr).toContain("is already being written");
  expect(status).toBe(1);
  expect(readFileSync(image).equals(bytes)).toBe(true);
});

test("a file that a copy writes is nobody else's to write, until it is done", async () => {
  const { cwd, image, device } = await setUp();
  await device.close();
  const args = ["copy", "other.img", "--device", "other.img", "--to", "disk.img"];
  expect(await run(args, { cwd })).toMatchObject({ status: 0 });
  expect(readFileSync(image)).toHaveLength(8192);
  const again = await FileLayer.at(environment, { path: image });
  await again.open();
  await again.close();
});

describe("an image whose last bytes are no whole block", () => {
  const bytes = randomBytes(1_000_001);

  test("is copied to its last byte", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "odd.img"), bytes);
    const ended = await run(["copy", "odd.img", "--device", "odd.img", "--to", "out"], { cwd });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(join(cwd, "out")).equals(bytes)).toBe(true);
  });

  test("is copied to its last byte to a server, and refused by one that is too short", async () => {
    const { cwd, image, bytes: before } = await setUp();
    writeFileSync(join(cwd, "odd.img"), bytes);
    const to = ["--to", "nbd+unix:///disk?socket=s"];
    const ended = await run(["copy", "odd.img", "--device", "odd.img", ...to], { cwd });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const expected = Buffer.concat([bytes, before.subarray(bytes.length)]);
    expect(readFileSync(image).equals(expected)).toBe(true);
    writeFileSync(join(cwd, "odd.img"), randomBytes((1 << 20) + 1));
    const refused = await run(["copy", "odd.img", "--device", "odd.img", ...to], { cwd });
    expect(refused.stderr).toMatch(/it has 1048576 bytes, and the copy has 1048577/);
    expect(refused.status).toBe(1);
    expect(readFileSync(image).equals(expected)).toBe(true);
  });
});
