import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CEV_COMMAND, cev, hashDevice, inspect } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { output } from "../src/run.ts";
import { takesConnections } from "../src/takes-connections.ts";
import { describeWith } from "../src/tools.ts";

describeWith(["nbdkit", "nbdcopy"], "stacks of the kernel's whose disks lie behind another server", () => {
  let folder: string;
  let server: ChildProcess;
  let golden: GoldenCopy;
  let sources: readonly string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "cev-nbd-sources-"));
    golden = new GoldenCopy("stack");
    const socket = join(folder, "nbdkit");
    const args = ["-f", "-U", socket, "file", `dir=${golden.folder}`];
    server = spawn("nbdkit", args, { stdio: "ignore" });
    while (!(await takesConnections(socket))) {
      if (server.exitCode !== null) throw new Error(`nbdkit ended with ${server.exitCode}`);
      await sleep(10);
    }
    sources = golden.images.map((_, index) => `nbd+unix:///disk${index}.img?socket=${socket}`);
  });

  afterEach(async () => {
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
    golden[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  test("RAID, LUKS and LVM are found and read, with a disk missing, and nothing is written", async () => {
    const before = golden.hashImages();
    const { devices, problems, status } = await inspect([...sources, ...golden.keys]);
    expect(status).toBe(0);
    expect(problems).toEqual([]);
    expect(devices.map(({ name }) => name.replace(/^luks\/.*/, "luks"))).toEqual([
      ...["disk0.img", "disk1.img", "disk2.img", "disk3.img"],
      ...["md/oracle:stack", "luks", "vg0/root", "vg0/other"],
    ]);
    const rest = [...sources.slice(1), ...golden.keys];
    const { size, sha256 } = golden.layer("vg0/root");
    expect(await hashDevice("vg0/root", rest)).toMatchObject({ status: 0, size, sha256 });
    expect(golden.hashImages()).toBe(before);
  });

  test("they are served on, at a socket that the client opened for the server", async () => {
    const file = join(folder, "root.img");
    const command = [
      process.execPath,
      ...CEV_COMMAND,
      "serve",
      ...sources,
      ...golden.keys,
      "--device",
      "vg0/root",
    ];
    await output("nbdcopy", ["--", "[", ...command, "]", file]);
    const { size, sha256 } = golden.layer("vg0/root");
    const bytes = readFileSync(file);
    expect(bytes.length).toBe(size);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
  });

  test("what is written through them is what the images hold", async () => {
    const data = Buffer.alloc(100_000, "over the network ");
    const written = await cev(["copy", ...sources, ...golden.keys, "--device", "vg0/other", "--from", "-"], {
      input: data,
    });
    expect(written).toMatchObject({ status: 0, stderr: "" });
    const file = join(folder, "other.img");
    await cev(["copy", ...golden.images, ...golden.keys, "--device", "vg0/other", "--to", file]);
    expect(readFileSync(file).subarray(0, data.length).equals(data)).toBe(true);
  });
});
