/**
 * The same under a real file system: SQLite's own program on the kernel's ext4, on a loop device, on nbdfuse, on `cev serve` of a stack file
 * whose power goes. Needs root, /dev/fuse, nbdfuse, losetup, mkfs.ext4, e2fsck and sqlite3.
 *
 *     node kernel.ts [ROUNDS] [SEED]
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isThere } from "./host.ts";
import { KernelLedger } from "./kernel-ledger.ts";

const TOOLS = ["nbdfuse", "losetup", "mkfs.ext4", "e2fsck", "mount", "umount", "sqlite3"];
const rounds = Number(process.argv[2] ?? 5);
const seed = Number(process.argv[3] ?? 1);

const missing = TOOLS.filter((tool) => !isThere(tool));
if (!existsSync("/dev/fuse")) missing.push("/dev/fuse");
if (process.getuid?.() !== 0) missing.push("root, who alone may mount");
if (missing.length > 0) {
  console.error(`cannot be run here; not there: ${missing.join(", ")}`);
  process.exit(3);
}
// A short path: the name of a socket in it has at most 107 bytes.
const folder = mkdtempSync(join(tmpdir(), "ledger-"));
try {
  const ledger = await KernelLedger.make(folder);
  for (let round = 0; round < rounds; round++) {
    const before = await ledger.check();
    const { told, acknowledged } = await ledger.workUntilTheCut({
      seed: seed + round,
      cutAfterWrites: 30 + 70 * round,
      from: before + 1,
    });
    const found = await ledger.check();
    const lostCount = Math.max(0, acknowledged - found);
    console.log(
      `${told}\n  ${acknowledged - before} transactions acknowledged, ${lostCount} of them lost; the database and ext4 are sound`,
    );
    if (lostCount > 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
