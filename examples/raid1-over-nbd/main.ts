/**
 * A RAID1 over two NBD servers loses one of them to a SIGKILL, goes on, and takes it back.
 *
 *     node main.ts
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentFrom } from "@cev/core";
import { MemberProcess } from "./member-process.ts";
import { loseOneAndTakeItBack } from "./mirror.ts";

const MEMBER_SIZE = 20 * (1 << 20);

// A short path: the name of a socket in it has at most 107 bytes.
const folder = mkdtempSync(join(tmpdir(), "mirror-"));
const imageAt = (name: string): string => {
  const path = join(folder, name);
  writeFileSync(path, "");
  truncateSync(path, MEMBER_SIZE);
  return path;
};
try {
  await using first = new MemberProcess(imageAt("m0"), join(folder, "s0"));
  await using second = new MemberProcess(imageAt("m1"), join(folder, "s1"));
  const outcome = await loseOneAndTakeItBack(
    environmentFrom(globalThis),
    [first, second],
    (line) => void process.stdout.write(`${line}\n`),
  );
  const wrong = outcome.wrongWhileDegraded + outcome.wrongAfterwards + outcome.mismatches;
  const isAllCopied = outcome.copiedLength > outcome.size / 2;
  process.exitCode = wrong === 0 && !isAllCopied ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
