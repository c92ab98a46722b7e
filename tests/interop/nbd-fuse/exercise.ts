import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Server, cev } from "../src/cev.ts";
import { output, run } from "../src/run.ts";
import type { StackName } from "./options.ts";
import { makeStack } from "./stacks.ts";
import { Undo } from "./undo.ts";

/** What fsx may take for all its operations. */
const FSX_MS = 1_800_000;

/** Files of 4 MiB at most, pieces of 256 KiB at most, which is a request of several pieces at a time for the loop device. */
const SHAPE = ["-q", "-l", "4194304", "-o", "262144"];
const PASSES = [
  { name: "cached", args: ["-c", "20", "-y"] },
  { name: "direct", args: ["-Z", "-R", "-W", "-r", "4096", "-w", "4096", "-t", "4096"] },
] as const;

export interface Exercise {
  readonly stack: StackName;
  /** Empty; a short path. */
  readonly folder: string;
  readonly fsx: string;
  readonly ops: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** One stack, from its making to the judgement of what fsx has left on it. Throws what is wrong. */
export async function exercise({ stack, folder, fsx, ops, seed, say }: Exercise): Promise<void> {
  await using undo = new Undo();
  const { sources, device } = await makeStack(stack, folder);
  const socket = join(folder, "s");
  const server = await Server.onSocket(socket, [...sources, "--device", device]);
  undo.push("the server", () => server.stop());
  const file = await showAsFile(socket, join(folder, "fuse"), undo);
  const loop = (await output("losetup", ["--find", "--show", file])).trim();
  undo.push(loop, () => output("losetup", ["--detach", loop]));
  await output("mkfs.ext4", ["-q", loop]);
  const place = join(folder, "mnt");
  mkdirSync(place);
  await output("mount", ["-t", "ext4", "-o", "discard", loop, place]);
  undo.push(place, () => output("umount", [place]));
  for (const { name, args } of PASSES) {
    const start = performance.now();
    const words = ["-N", String(ops), "-S", String(seed), ...SHAPE, ...args, "-P", folder, join(place, name)];
    const { status, stdout, stderr } = await run(fsx, words, { timeoutMs: FSX_MS });
    if (status !== 0)
      throw new Error(`fsx ${words.join(" ")} ended with ${status}: ${`${stdout}${stderr}`.slice(-3000)}`);
    say(`${stack}: fsx ${name}, ${ops} operations, ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  await output("sync", ["-f", place]);
  const sums = await Promise.all(PASSES.map(({ name }) => sumOf(join(place, name))));
  // The order is the point: only when all above has let go is everything on the disk.
  await undo.all();
  await judgeImages({ sources, device, folder, sums });
  say(`${stack}: e2fsck finds nothing, and the files in the images are those that were there`);
}

/** Starts nbdfuse, and gives the file it shows. */
async function showAsFile(socket: string, place: string, undo: Undo): Promise<string> {
  mkdirSync(place);
  const file = join(place, "disk");
  let said = "";
  const child = spawn("nbdfuse", [file, `nbd+unix:///?socket=${socket}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      said += error.message;
      resolve();
    });
    child.once("close", () => resolve());
  });
  undo.push(place, async () => {
    if (child.exitCode === null && existsSync(file)) await output("umount", [place]);
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  });
  for (let tries = 0; tries < 200; tries++) {
    if (existsSync(file)) return file;
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill();
  throw new Error(`nbdfuse shows nothing: ${said}`);
}

/** Reads the device out of its images, with nobody between, and looks at it. */
async function judgeImages(left: {
  readonly sources: readonly string[];
  readonly device: string;
  readonly folder: string;
  readonly sums: readonly string[];
}): Promise<void> {
  const { sources, device, folder, sums } = left;
  const copy = join(folder, "copy.img");
  const { status, stderr } = await cev(["copy", ...sources, "--device", device, "--to", copy], {
    timeoutMs: 120_000,
  });
  if (status !== 0) throw new Error(`cev copy ended with ${status}: ${stderr}`);
  await output("e2fsck", ["-fn", copy]);
  for (const [index, { name }] of PASSES.entries()) {
    const file = join(folder, `${name}.out`);
    await output("debugfs", ["-R", `dump /${name} ${file}`, copy]);
    const found = await sumOf(file);
    if (found !== sums[index])
      throw new Error(`${name} was ${sums[index]!} when it was mounted, and is ${found}`);
  }
}

async function sumOf(path: string): Promise<string> {
  return (await output("sha256sum", [path])).slice(0, 64);
}
