import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ORACLE = fileURLToPath(new URL("linux-oracle", import.meta.url));

/**
 * What becomes of the images: `write` keeps what the kernel wrote and shuts down cleanly, `read-only`
 * lets it write nothing, `snapshot` lets it write and forgets it, `power-cut` keeps what had reached the
 * disks when the script ended, and shuts nothing down.
 */
export type OracleMode = "write" | "read-only" | "snapshot" | "power-cut";

export interface OracleRun {
  /** Shell commands (`$1`, `$2`… are the devices, in the order of `disks`), run as root with `set -e`. */
  readonly script: string;
  /** Paths of the images. */
  readonly disks?: readonly string[];
  readonly mode?: OracleMode;
  /** Variables for the script. */
  readonly env?: Readonly<Record<string, string>>;
  /** The folder the script works in and may write to, besides the images. */
  readonly work?: string;
  readonly timeoutMs?: number;
}

export interface OracleResult {
  /** The script's exit status; 124 after a timeout, 125 where the kernel did not run. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MODE_OPTIONS: Readonly<Record<OracleMode, readonly string[]>> = {
  write: [],
  "read-only": ["--read-only"],
  snapshot: ["--snapshot"],
  "power-cut": ["--power-cut"],
};

/** Runs a script inside a real Linux kernel, with disk images attached as block devices. */
export function runOracle(run: OracleRun): Promise<OracleResult> {
  const { script, disks = [], mode = "write", env = {}, work, timeoutMs = 240_000 } = run;
  const options = [...MODE_OPTIONS[mode], "--timeout", String(Math.ceil(timeoutMs / 1000))];
  if (work !== undefined) options.push("--work", work);
  for (const [name, value] of Object.entries(env)) options.push("--env", `${name}=${value}`);
  return new Promise((resolve, reject) => {
    const child = spawn(ORACLE, [...options, "-", ...disks], { stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ status: code ?? 125, stdout, stderr });
    });
    child.stdin.on("error", () => undefined); // The oracle may end before it has read its script.
    child.stdin.end(`set -e\n${script}\n`);
  });
}
