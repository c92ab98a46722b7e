// Boots a Linux guest in QEMU with a disk and its root on NBD: main.ts --help.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer, writeCev } from "../black-box/servers.ts";
import { Sources } from "../black-box/sources.ts";
import { output, run } from "../src/run.ts";
import { DIRECTORY, PROGRAM, encodeInitrd } from "./initrd.ts";
import { readCommandLine } from "../../../scripts/command-line.ts";

const QEMU = [
  ...["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"],
  ...["libcapstone4", "libfdt1", "libslirp0", "libvdeplug2"],
];
/** In the order in which they need one another; the rest is in this kernel. */
const MODULES = [
  ...["virtio/virtio.ko", "virtio/virtio_ring.ko", "virtio/virtio_pci_legacy_dev.ko"],
  ...["virtio/virtio_pci_modern_dev.ko", "virtio/virtio_pci.ko", "block/virtio_blk.ko"],
];
/** Enough to load drivers; all else is on the disk. */
const INIT = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t devtmpfs dev /dev
for module in ${MODULES.map((path) => path.split("/").at(-1)).join(" ")}; do /bin/busybox insmod /$module; done
for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/vda ] && break; /bin/busybox sleep 1; done
/bin/busybox mount -t ext4 -o discard /dev/vda /root || echo no root
exec /bin/busybox switch_root /root /init
`;
/** The guest's second half runs from the disk under test. */
const ON_DISK = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox dd if=/dev/urandom of=/file bs=1M count=8 2>/dev/null
/bin/busybox dd if=/dev/zero of=/gone bs=1M count=8 2>/dev/null
/bin/busybox sync
/bin/busybox rm /gone
/bin/busybox sha256sum /file | /bin/busybox cut -c1-64 >/sum
/bin/busybox sync
/bin/busybox mount -o remount,ro /
echo guest wrote $(/bin/busybox cat /sum)
/bin/busybox poweroff -f
`;

const USAGE = `usage: pnpm run nbd-guest [OPTION]...

Boots a Linux guest in QEMU whose disk and root are on NBD, lets it write and discard, and checks its file system and its data
afterwards. QEMU and the guest's kernel are fetched; nothing of them is kept unless --sources names a folder.

  --sources DIR   keeps what was fetched there, and uses what is there already

Example:
  pnpm nbd-guest --sources ~/nbd-guest
`;

const values = readCommandLine("nbd-guest", USAGE, (args) => {
  const options = { sources: { type: "string" }, help: { type: "boolean", default: false } } as const;
  const parsed = parseArgs({ args: [...args], options }).values;
  return parsed.help ? null : parsed;
});
const folder = mkdtempSync(join(tmpdir(), "nbd-guest-"));
try {
  const sources = new Sources(values.sources ?? join(folder, "sources"));
  const root = await sources.debianFiles([...QEMU, await cloudKernel()]);
  const kernel = readdirSync(join(root, "boot")).find((name) => name.startsWith("vmlinuz-"))!;
  const drivers = join(root, "lib/modules", kernel.slice("vmlinuz-".length), "kernel/drivers");
  const busybox = readFileSync("/bin/busybox");
  const initrd = join(folder, "initrd");
  writeFileSync(
    initrd,
    encodeInitrd([
      { name: "bin", mode: DIRECTORY },
      { name: "bin/busybox", mode: PROGRAM, bytes: busybox },
      { name: "init", mode: PROGRAM, bytes: Buffer.from(INIT) },
      ...MODULES.map((path) => ({
        name: path.split("/").at(-1)!,
        mode: PROGRAM,
        bytes: readFileSync(join(drivers, path)),
      })),
    ]),
  );
  const disk = join(folder, "disk");
  await makeRoot(disk, busybox);
  const socket = join(folder, "s");
  const server = await startServer("cev", writeCev(folder), { files: [disk], address: { socket } });
  let guest;
  try {
    guest = await run(
      "env",
      [
        `LD_LIBRARY_PATH=${join(root, "usr/lib/x86_64-linux-gnu")}`,
        join(root, "usr/bin/qemu-system-x86_64"),
        ...["-L", join(root, "usr/share/qemu"), "-L", join(root, "usr/share/seabios")],
        ...["-machine", "q35", "-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none"],
        ...["-serial", "stdio", "-no-reboot", "-kernel", join(root, "boot", kernel), "-initrd", initrd],
        ...["-append", "console=ttyS0 quiet panic=-1"],
        ...["-drive", `driver=nbd,server.type=unix,server.path=${socket},if=virtio,discard=unmap`],
      ],
      { timeoutMs: 240_000 },
    );
  } finally {
    await server[Symbol.asyncDispose]();
  }
  const sum = /guest wrote ([0-9a-f]{64})/.exec(guest.stdout)?.[1];
  if (sum === undefined)
    throw new Error(`the guest did not get far: ${guest.stdout.slice(-2000)}${guest.stderr}`);
  await output("e2fsck", ["-fn", disk]);
  await output("debugfs", ["-R", `dump /file ${join(folder, "file")}`, disk]);
  const [found] = (await output("sha256sum", [join(folder, "file")])).split(" ");
  if (found !== sum) throw new Error(`the guest wrote ${sum}, the disk has ${found}`);
  console.log(
    "a guest booted from the disk, wrote 8 MiB, discarded 8 MiB; the filesystem is clean and the bytes are there",
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** An ext4 with what the guest needs. */
async function makeRoot(disk: string, busybox: Buffer): Promise<void> {
  const tree = join(folder, "tree");
  for (const name of ["bin", "dev", "proc"]) mkdirSync(join(tree, name), { recursive: true });
  writeFileSync(join(tree, "bin/busybox"), busybox, { mode: 0o755 });
  writeFileSync(join(tree, "init"), ON_DISK, { mode: 0o755 });
  await output("mkfs.ext4", ["-q", "-d", tree, disk, "64M"]);
}

/** The package that the one without a version depends on. */
async function cloudKernel(): Promise<string> {
  const text = await output("apt-cache", ["depends", "linux-image-cloud-amd64"]);
  const name = /Depends: (linux-image-\S+)/.exec(text)?.[1];
  if (name === undefined) throw new Error(`no kernel for guests is known to this system: ${text}`);
  return name;
}
