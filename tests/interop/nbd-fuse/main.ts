// fsx on ext4 on a loop device on nbdfuse on cev: main.ts --help.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exercise } from "./exercise.ts";
import { findFsx, missingHere } from "./needs.ts";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { USAGE, parseOptions } from "./options.ts";

const options = readCommandLine("nbd-fuse", USAGE, parseOptions);
const fsx = findFsx(options.fsx);
const missing = missingHere();
if (fsx === null) missing.push(`${options.fsx} (of xfstests; --fsx PROGRAM says where it is)`);
if (fsx === null || missing.length > 0) {
  console.error(`cannot be run here; not there: ${missing.join(", ")}`);
  process.exit(3);
}
// The programs under way end by the same signal; what they leave is cleaned up as after any failure.
let isInterrupted = false;
process.on("SIGINT", () => (isInterrupted = true));
console.log(`seed ${options.seed}`);
for (const stack of options.stacks) {
  if (isInterrupted) break;
  // A short path: the name of a socket in it has at most 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "nbd-fuse-"));
  try {
    await exercise({
      stack,
      folder,
      fsx,
      ops: options.ops,
      seed: options.seed,
      say: (line) => console.log(line),
    });
  } catch (error) {
    process.exitCode = 1;
    console.error(`${stack}: ${(error as Error).message}`);
  }
  rmSync(folder, { recursive: true, force: true });
}
