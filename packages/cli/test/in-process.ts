import { vi } from "vitest";
import { main } from "../src/main.ts";
import type { Ended } from "./helpers.ts";

/** Runs `cev` in this process, which saves the time a new one takes to start. One at a time. */
export async function run(args: readonly string[], options: { readonly cwd?: string } = {}): Promise<Ended> {
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
  if (options.cwd !== undefined) process.chdir(options.cwd);
  try {
    const status = await main(args);
    return { status, stdout: Buffer.concat(stdout), stderr };
  } finally {
    out.mockRestore();
    err.mockRestore();
    process.chdir(cwd);
  }
}
