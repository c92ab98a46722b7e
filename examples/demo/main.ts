/**
 * The main job. Four disks that a Linux kernel made (RAID5, LUKS2 on it, LVM2 in it, ext4 in that) are opened without
 * root, read by a library that knows nothing of cev, and served to any NBD client. `--once`: all but wait.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawTree, standardDrivers } from "@cev/cli";
import { environmentFrom } from "@cev/core";
import type { Device } from "@cev/core";
import { NbdServer, nbdUri } from "@cev/nbd";
import { openImages } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { unpackGolden } from "../../tests/interop/golden/unpack.ts";
import type { UnpackedGolden } from "../../tests/interop/golden/unpack.ts";
import { readExt4 } from "./ext4.ts";
import { Figures } from "./figures.ts";
import { Screen } from "./screen.ts";

const VOLUME = "vg0/root";

// A terminal that is gone is no reason to leave anything behind.
process.stdout.on("error", () => undefined);
const isOnce = process.argv.includes("--once");
const folder = mkdtempSync(join(tmpdir(), "cev-demo-"));
try {
  await demonstrate(unpackGolden("stack", join(folder, "disks")));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function demonstrate(golden: UnpackedGolden): Promise<void> {
  const { manifest, images } = golden;
  const environment = environmentFrom(globalThis);
  const drivers = standardDrivers();

  title(`Four disk images, made by ${manifest.kernel}: what is in them?`);
  const locked = await openImages(images, { environment, drivers });
  printTree(locked);
  await locked.close();

  title("The same, with the passphrase");
  const figures = new Figures();
  await using stack = await openImages(images, {
    environment,
    drivers,
    keys: [Buffer.from(manifest.passphrase!)],
    isReadOnly: false,
    around: figures.around,
  });
  printTree(stack);
  for (const { message } of stack.problems) say(message);

  const device = await stack.open(VOLUME);
  title(`${VOLUME}: ext4, read through npm's ext2fs`);
  await printFiles(device, golden);

  await serve(stack, device, figures);
}

async function printFiles(device: Device, { manifest }: UnpackedGolden): Promise<void> {
  for (const { path, isFolder, data } of await readExt4(device)) {
    const expected = manifest.files.find((file) => file.path === path);
    const isRight = expected?.sha256 === createHash("sha256").update(data).digest("hex");
    if (expected !== undefined && !isRight) throw new Error(`${path} is not what the kernel wrote`);
    const facts = isFolder ? "folder" : `${data.length} bytes${isRight ? ", as the kernel wrote it" : ""}`;
    say(`${path.padEnd(32)}${facts}`);
    if (path.endsWith("hello.txt")) say(`    ${Buffer.from(data).toString("utf8").trimEnd()}`);
  }
}

async function serve(stack: Stack, device: Device, figures: Figures): Promise<void> {
  const socket = join(folder, "nbd.sock");
  await using server = new NbdServer({ environment: stack.environment, exports: [{ name: VOLUME, device }] });
  const uri = nbdUri(await server.listen({ path: socket }), "");

  title(`${VOLUME} is served over NBD; try in another terminal`);
  for (const command of [
    `nbdinfo '${uri}'`,
    `nbdcopy '${uri}' /tmp/root.img && file /tmp/root.img`,
    `qemu-img info '${uri}'`,
    `qemu-img convert -O qcow2 '${uri}' /tmp/root.qcow2`,
    `fio --name=try --ioengine=nbd --uri='${uri}' --rw=randread --bs=4k --iodepth=16 --time_based --runtime=5`,
  ]) {
    say(`  ${command}`);
  }

  title(isOnce ? "What each layer did" : "What each layer does (Ctrl-C ends)");
  const screen = new Screen();
  screen.draw(figures.table(stack));
  if (!isOnce) await untilStopped(() => screen.draw(figures.table(stack)));
}

/** Calls back every second until a signal comes. A closed terminal (SIGHUP) ends it as Ctrl-C does, in good order. */
function untilStopped(everySecond: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(everySecond, 1000);
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) return;
      isStopping = true;
      clearInterval(timer);
      everySecond();
      say("\nfinishing what is under way, flushing, removing the copies");
      resolve();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  });
}

function printTree({ devices }: Stack): void {
  for (const line of drawTree(devices)) say(line);
}

function title(text: string): void {
  say(`\n== ${text}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
