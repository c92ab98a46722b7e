import { Readable } from "node:stream";
import { vi } from "vitest";
import { main } from "../src/main.ts";
import type { Ended } from "./helpers.ts";

/** Runs `cev` in this process, which saves the time a new one takes to start. One at a time. `input`: what standard input has. */
export async function run(
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: Uint8Array } = {},
): Promise<Ended> {
  const stdout: Buffer[] = [];
  let stderr = "";
  const cwd = process.cwd();
  const out = vi
    .spyOn(process.stdout, "write")
    .mockImplementation((data) => stdout.push(Buffer.from(data)) > 0);
  const err = vi.spyOn(process.stderr, "write").mockImplementation((data) => {
    stderr += Buffer.from(data).toString();
    return true;
  });
  const { input } = options;
  const stdin =
    input === undefined
      ? null
      : vi
          .spyOn(process, "stdin", "get")
          .mockReturnValue(Readable.from([Buffer.from(input)], { objectMode: false }) as never);
  if (options.cwd !== undefined) process.chdir(options.cwd);
  try {
    const status = await main(args);
    return { status, stdout: Buffer.concat(stdout), stderr };
  } finally {
    out.mockRestore();
    err.mockRestore();
    stdin?.mockRestore();
    process.chdir(cwd);
  }
}
