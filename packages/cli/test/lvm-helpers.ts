import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { Ended } from "./helpers.ts";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

/** Texts that are replaced go to a folder that is gone after the tests of a file. */
export function archiveApart(): void {
  const folder = mkdtempSync(join(tmpdir(), "cev-lvm-state-"));
  const before = process.env["XDG_STATE_HOME"];
  beforeAll(() => {
    process.env["XDG_STATE_HOME"] = folder;
  });
  afterAll(() => {
    if (before === undefined) delete process.env["XDG_STATE_HOME"];
    else process.env["XDG_STATE_HOME"] = before;
    rmSync(folder, { recursive: true, force: true });
  });
}

/** A folder with a group on images, and `cev lvm` in it. */
export interface MadeGroup {
  readonly cwd: string;
  readonly images: readonly string[];
  /** `cev lvm COMMAND WORDS... --devices IMAGES`. */
  readonly lvm: (...words: string[]) => Promise<Ended>;
  /** `cev COMMAND IMAGES WORDS...`. */
  readonly cev: (command: string, ...words: string[]) => Promise<Ended>;
}

/** Makes the group vg0, with extents of 1 MiB, on images of 16 MiB. */
export async function makeGroup(imageCount = 2, cwd: string = temporaryFolder()): Promise<MadeGroup> {
  const images = Array.from({ length: imageCount }, (_, index) => `d${index}.img`);
  const made = await run(["lvm", "vgcreate", "-s", "1m", "vg0", ...images, "--make-images", "16M"], { cwd });
  if (made.status !== 0) throw new Error(made.stderr);
  return {
    cwd,
    images,
    lvm: (...words) => run(["lvm", ...words, "--devices", ...images], { cwd }),
    cev: (command, ...words) => run([command, ...images, ...words], { cwd }),
  };
}

/** One group for all tests of a file, made when the first of them wants it. */
export function sharedGroup(prepare: (group: MadeGroup) => Promise<void>): {
  readonly group: () => Promise<MadeGroup>;
} {
  const cwd = mkdtempSync(join(tmpdir(), "cev-lvm-"));
  afterAll(() => rmSync(cwd, { recursive: true, force: true }));
  let made: Promise<MadeGroup> | null = null;
  const make = async (): Promise<MadeGroup> => {
    const group = await makeGroup(2, cwd);
    await prepare(group);
    return group;
  };
  return { group: () => (made ??= make()) };
}

/** All bytes of the images: to be compared, which is faster than hashes of so many zeroes. */
export const bytesOf = ({ cwd, images }: MadeGroup, ...others: readonly string[]): Buffer =>
  Buffer.concat([...images, ...others].map((image) => readFileSync(join(cwd, image))));

/** The cells of a report without headings, a line each. */
export async function cells(group: MadeGroup, report: string, columns: string): Promise<string[]> {
  const ended = await group.lvm(report, "-a", "--noheadings", "--separator", " ", "-o", columns);
  if (ended.status !== 0) throw new Error(ended.stderr);
  return ended.stdout
    .toString()
    .split("\n")
    .flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}
