import { accessSync, constants, existsSync } from "node:fs";
import { resolve } from "node:path";
import { isInstalled } from "../src/tools.ts";

const TOOLS = ["nbdfuse", "losetup", "mkfs.ext4", "mount", "umount", "e2fsck", "debugfs", "sha256sum"];
const DEVICES = ["/dev/fuse", "/dev/loop-control"];
/** Where `make install` of xfstests puts it. */
const INSTALLED = "/var/lib/xfstests/ltp/fsx";

/** The path or name of fsx; null: there is none. */
export function findFsx(asked: string): string | null {
  if (asked.includes("/")) return isExecutable(asked) ? resolve(asked) : null;
  if (isInstalled(asked)) return asked;
  return isExecutable(INSTALLED) ? INSTALLED : null;
}

/** What this machine lacks, in words. */
export function missingHere(): string[] {
  const missing = TOOLS.filter((tool) => !isInstalled(tool));
  missing.push(...DEVICES.filter((path) => !existsSync(path)));
  if (process.getuid?.() !== 0) missing.push("root, who alone may mount");
  return missing;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
