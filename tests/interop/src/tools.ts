import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

/** Where Debian keeps what a plain user's PATH leaves out. */
const FOLDERS = [...(process.env["PATH"] ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** What the kernel in `oracle/` needs. */
export const ORACLE_TOOLS: readonly string[] = [
  "linux.uml",
  "modprobe",
  "busybox",
  "mdadm",
  "lvm",
  "dmsetup",
  "thin_check",
  "cryptsetup",
  "mkfs.ext4",
  "losetup",
  "sfdisk",
  "flock",
  ...(hasWideRegisters() ? ["cc"] : []),
];

/**
 * A group of tests that needs other programs. Where one is missing the group is skipped, and its title says
 * which; with CI set it fails instead.
 */
export function describeWith(tools: readonly string[], title: string, body: () => void): void {
  const missing = tools.filter((tool) => !isInstalled(tool));
  if (missing.length === 0) describe(title, body);
  else if (process.env["CI"] !== undefined) {
    describe(title, () => {
      test(`has ${missing.join(", ")}`, () => {
        expect(missing, "tools that are not installed").toEqual([]);
      });
    });
  } else describe.skip(`${title} (not installed: ${missing.join(", ")})`, body);
}

/** Whether a program is where programs are. */
export function isInstalled(tool: string): boolean {
  return FOLDERS.some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Processors with AMX: there the oracle compiles a small library first. */
function hasWideRegisters(): boolean {
  try {
    return /\bamx_tile\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}
