import { spawnSync } from "node:child_process";

/** What Node is given to run the repository's programs from their sources, with nothing built. */
export const SOURCE_WORDS: readonly string[] = [
  "--conditions=@cev/source",
  "--disable-warning=ExperimentalWarning",
];

/** How a program ended, and what it said. */
export interface EndedProgram {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output, byte for byte. */
  readonly bytes: Buffer;
}

/** Runs a program of the repository from its sources to its end, in a process of its own. */
export function runSource(program: string, ...args: string[]): EndedProgram {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...SOURCE_WORDS, program, ...args]);
  return { status, stdout: stdout.toString(), stderr: stderr.toString(), bytes: stdout };
}
