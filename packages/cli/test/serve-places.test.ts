import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Command, cev, golden, shellCommand } from "./helpers.ts";
import { run } from "./in-process.ts";

const READ = 0;
const WRITE = 1;
const DISC = 2;

/** All that a client sends that knows beforehand what the answers are: an export, chosen as of old, and requests. */
function conversation(name: string, requests: readonly Buffer[]): Buffer {
  const flags = Buffer.from([0, 0, 0, 3]);
  const option = Buffer.alloc(16);
  option.write("IHAVEOPT", "latin1");
  option.writeUInt32BE(1, 8);
  option.writeUInt32BE(name.length, 12);
  return Buffer.concat([flags, option, Buffer.from(name), ...requests]);
}

function request(command: number, offset: number, length: number, data = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x2560_9513);
  head.writeUInt16BE(command, 6);
  head.writeBigUInt64BE(BigInt(command), 8);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  return Buffer.concat([head, data]);
}

/** A simple reply that all is well. */
function reply(command: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(0x6744_6698);
  head.writeBigUInt64BE(BigInt(command), 8);
  return head;
}

test("--stdio serves the client at standard input, puts nothing else out, and ends when it leaves", async () => {
  const { images } = golden("gpt");
  const data = Buffer.alloc(4096, "stdio");
  await run(["copy", ...images, "--device", "vg2/data", "--from", "-"], { input: data });
  // A range that is not being written: what such a read gives is up to the server.
  const input = conversation("vg2/data", [
    request(WRITE, 8192, data.length, data),
    request(READ, 0, data.length),
    request(DISC, 0, 0),
  ]);
  const args = ["serve", ...images, "--device", "vg2/data", "--stdio", "--verbose", "--trace"];
  const { status, stdout, stderr } = await cev(args, { input });
  expect(status).toBe(0);
  // The greeting, the size and flags of the export, and the two answers: not a byte more.
  expect(stdout.subarray(0, 16).toString("latin1")).toBe("NBDMAGICIHAVEOPT");
  expect(stdout.readBigUInt64BE(18)).toBe(1n << 20n);
  // Replies come in any order.
  const replies = [Buffer.concat([reply(READ), data]), reply(WRITE)];
  const isWriteFirst = stdout.subarray(28, 44).equals(reply(WRITE));
  expect(stdout.subarray(28)).toEqual(Buffer.concat(isWriteFirst ? replies.toReversed() : replies));
  expect(stderr.split("\n")).toEqual([
    "ready; ends when the client leaves",
    "client 1 (standard input): vg2/data",
    expect.stringMatching(/^client 1: (write 8192|read 0)\+4096: done after \d+ us$/),
    expect.stringMatching(/^client 1: (write 8192|read 0)\+4096: done after \d+ us$/),
    expect.stringMatching(
      /^client 1 \(standard input\): left after \d+\.\d s and 2 requests; read 4 KiB, wrote 4 KiB$/,
    ),
    "",
  ]);
});

test("--stdio wants a client there", () => {
  const { images } = golden("gpt");
  const command = `${shellCommand} serve ${images[0]!} --device vg2/data --stdio </dev/null`;
  const { status, stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
  expect(stderr).toMatch(/neither a socket nor a pipe: there is no client at it/);
  expect(status).toBe(1);
});

test("a socket and ports at once, with the mode that was asked for, and one export out of two as the default", async () => {
  const { images, folder } = golden("gpt");
  const socket = join(folder, "s");
  const listen = ["--listen", "127.0.0.1:0", "--listen", "localhost:0"];
  const place = ["--socket", socket, "--socket-mode", "0640", ...listen];
  const server = new Command(["serve", ...images, ...place, "--default-export", "vg2/data"]);
  const [, text] = await server.until(/^(.*)ready/s);
  expect(
    text!
      .replaceAll(/:\d+\//g, ":PORT/")
      .replaceAll("[::1]", "127.0.0.1")
      .trimEnd()
      .split("\n"),
  ).toEqual([
    `serving disk0.img/p1 (3 MiB) at nbd+unix:///disk0.img%2Fp1?socket=${socket}`,
    `serving vg2/data (1 MiB) at nbd+unix:///?socket=${socket}`,
    "serving disk0.img/p1 (3 MiB) at nbd://127.0.0.1:PORT/disk0.img%2Fp1",
    "serving vg2/data (1 MiB) at nbd://127.0.0.1:PORT/",
    "serving disk0.img/p1 (3 MiB) at nbd://127.0.0.1:PORT/disk0.img%2Fp1",
    "serving vg2/data (1 MiB) at nbd://127.0.0.1:PORT/",
  ]);
  expect(statSync(socket).mode & 0o777).toBe(0o640);
  const near = `nbd+unix:///?socket=${socket}`;
  const out = join(folder, "data.img");
  expect(await cev(["copy", near, "--device", "s", "--to", out])).toMatchObject({ status: 0, stderr: "" });
  server.child.kill("SIGTERM");
  expect(await server.ended).toMatchObject({ status: 0, stderr: "" });
  const straight = join(folder, "straight.img");
  await cev(["copy", ...images, "--device", "vg2/data", "--to", straight]);
  expect(readFileSync(out).equals(readFileSync(straight))).toBe(true);
});
