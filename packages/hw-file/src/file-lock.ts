import { spawn } from "node:child_process";
import type { BigIntStats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { refusedFile } from "./file-errors.ts";

/** How far a claim on a file reaches: other processes too, or this one alone. */
export type LockScope = "system" | "process";

/** The right to write a file. `release` it before the file is closed. */
export interface FileLock {
  readonly scope: LockScope;
  release(): void;
}

// Files belong to the process, not to a copy of this package: two installed copies must find the same list.
const KEY: unique symbol = Symbol.for("@cev/hw-file: files that are being written") as never;

interface Holder {
  [KEY]?: Set<string>;
}

/**
 * Claims the writing of an open file. In this process by its identity, so every path counts, links too; against other
 * processes by `flock(2)` where the system has the `flock` command: a lock belongs to the open file, not to the process
 * that asked for it, so it stays when that command has ended. Throws `CEV_BUSY`.
 */
export async function lockFile(fd: number, identity: string, path: string): Promise<FileLock> {
  const written = writtenFiles();
  if (written.has(identity)) throw busy(path, "is already being written by this process");
  written.add(identity);
  try {
    const outcome = await flock(fd);
    if (outcome === "busy") throw busy(path, "is already being written by another process");
    return {
      scope: outcome === "locked" ? "system" : "process",
      release: () => void written.delete(identity),
    };
  } catch (error) {
    written.delete(identity);
    throw error;
  }
}

/**
 * Claims a file that is open for writing as `FileLayer` does, for whoever writes it in another way: nobody who uses cev writes it
 * at the same time. Pipes, terminals and the like are nobody's: null. Throws `CEV_BUSY`.
 */
export async function claimFile(handle: FileHandle, path: string): Promise<FileLock | null> {
  const facts = await handle.stat({ bigint: true });
  const identity = identityOf(facts);
  return identity === null ? null : lockFile(handle.fd, identity, path);
}

/**
 * True where another process is known to have claimed the writing of a regular file as we do (`flock(2)`, exclusively), so that what is
 * read now and what is read later may be of different times. Linux tells (`/proc/locks`); elsewhere, and on file systems that number their
 * files in more than one way (btrfs, overlays), it may be false all the same.
 */
export async function isWrittenElsewhere(path: string): Promise<boolean> {
  if (process.platform !== "linux") return false;
  try {
    const facts = await stat(path, { bigint: true });
    const identity = identityOf(facts);
    if (!facts.isFile() || identity === null || writtenFiles().has(identity)) return false;
    const locks = await readFile("/proc/locks", "latin1");
    return locks.split("\n").some((line) => {
      const [, type, , mode, , file] = line.split(/ +/u);
      return type === "FLOCK" && mode === "WRITE" && file === lockNameOf(facts);
    });
  } catch {
    // A system that does not let us look; a file that is gone is told of by whoever opens it.
    return false;
  }
}

/** A file as `/proc/locks` names it: the device's numbers in hexadecimal digits, two at least, and its inode number. */
function lockNameOf({ dev, ino }: BigIntStats): string {
  // Major and minor number of a dev_t of the C library, as makedev(3) puts them together.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  const hex = (value: bigint): string => value.toString(16).padStart(2, "0");
  return `${hex(major)}:${hex(minor)}:${ino}`;
}

/** As in `FileFacts`: a claim by either way meets the other. */
function identityOf(facts: BigIntStats): string | null {
  if (facts.isBlockDevice()) return `device ${facts.rdev}`;
  return facts.isFile() ? `file ${facts.dev}:${facts.ino}` : null;
}

function writtenFiles(): Set<string> {
  const holder = globalThis as Holder;
  holder[KEY] ??= new Set();
  return holder[KEY];
}

// What the command ends with when somebody else holds the lock; other values are failures of its own.
const EXIT_BUSY = 1;

function flock(fd: number): Promise<"locked" | "busy" | "unknown"> {
  return new Promise((resolve) => {
    if (process.platform === "win32") return resolve("unknown");
    const command = spawn("flock", ["-x", "-n", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
    command.on("error", () => resolve("unknown"));
    command.on("exit", (status) =>
      resolve(status === 0 ? "locked" : status === EXIT_BUSY ? "busy" : "unknown"),
    );
  });
}

const busy = (path: string, message: string): Error =>
  refusedFile("CEV_BUSY", path, message, "close it there first, or open this one read-only");
