import { spawn } from "node:child_process";

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Called with each piece of standard output, which is then not collected. */
  readonly onOutput?: (bytes: Buffer) => void;
}

/** Runs a program to its end. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 240_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (bytes: Buffer) => {
      if (options.onOutput === undefined) stdout += bytes.toString("utf8");
      else options.onOutput(bytes);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (signal !== null) stderr += `(ended by ${signal})`;
      resolve({ status: code ?? -1, stdout, stderr });
    });
    child.stdin.on("error", () => undefined); // The program may end before it has read its input.
    child.stdin.end(options.input);
  });
}

/** Runs a program and gives its standard output; throws, with what it said, if it fails. */
export async function output(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, args, options);
  if (result.status !== 0) {
    throw new Error(
      `${command} ${args.join(" ")} ended with ${result.status}: ${result.stdout}${result.stderr}`,
    );
  }
  return result.stdout;
}
