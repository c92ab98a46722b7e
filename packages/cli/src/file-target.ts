import { constants } from "node:fs";
import { open, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { CevError, isCevError } from "@cev/core";
import { claimFile } from "@cev/hw-file";
import type { FileLock } from "@cev/hw-file";
import type { CopyTarget } from "./copy-target.ts";
import { hostError } from "./host-error.ts";
import { complain, notWhole } from "./output.ts";
import { zeroRuns } from "./zero-runs.ts";

const ZEROES = new Uint8Array(1 << 20);

/** What is known of a file that is open to be written. */
interface TargetFacts {
  /** Made by this copy: what is not written in it is a hole, and reads as zeroes. */
  readonly isNew: boolean;
  readonly isRegular: boolean;
  readonly hasOffsets: boolean;
}

/** A file or a device of this machine, which nobody else who uses cev writes meanwhile. */
export class FileTarget implements CopyTarget {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #facts: TargetFacts;
  readonly #lock: FileLock | null;
  #isChanged = false;

  private constructor(path: string, file: FileHandle, facts: TargetFacts, lock: FileLock | null) {
    this.#path = path;
    this.#file = file;
    this.#facts = facts;
    this.#lock = lock;
  }

  /** Not one byte of what is there is changed yet. Throws `CEV_BUSY` where somebody else writes it. */
  static async open(path: string): Promise<FileTarget> {
    const { file, isNew } = await openFile(path);
    try {
      const found = await file.stat();
      const isRegular = found.isFile();
      const facts = { isNew, isRegular, hasOffsets: isRegular || found.isBlockDevice() };
      return new FileTarget(path, file, facts, await claimFile(file, path));
    } catch (error) {
      await file.close();
      if (isNew) await unlink(path).catch(() => undefined);
      throw isCevError(error) && error.code === "CEV_BUSY" ? busy(path, error) : error;
    }
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    try {
      if (!this.#facts.isNew) return await this.#writeAll(data, offset);
      for (const { start, end, isZero } of zeroRuns(data)) {
        if (!isZero) await this.#writeAll(data.subarray(start, end), offset + start);
      }
    } catch (error) {
      throw hostError(this.#path, error);
    }
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    // In a new file what is not written is a hole.
    if (!this.#facts.isNew) await this.write(offset, ZEROES.subarray(0, length));
  }

  async finish(size: number): Promise<void> {
    try {
      if (this.#facts.isRegular) await this.#file.truncate(size);
      if (this.#facts.hasOffsets) await this.#file.sync();
      this.#lock?.release();
      await this.#file.close();
    } catch (error) {
      throw hostError(this.#path, error);
    }
  }

  async abandon(): Promise<void> {
    this.#lock?.release();
    await this.#file.close().catch(() => undefined);
    if (this.#facts.isNew) await unlink(this.#path).catch(() => undefined);
    else if (this.#isChanged && this.#facts.hasOffsets) complain(notWhole(this.#path));
  }

  async #writeAll(data: Uint8Array, offset: number): Promise<void> {
    this.#isChanged = true;
    for (let at = 0; at < data.length;) {
      const position = this.#facts.hasOffsets ? offset + at : null;
      const { bytesWritten } = await this.#file.write(data, at, data.length - at, position);
      if (bytesWritten === 0) throw new CevError("CEV_NO_SPACE", "it takes no more", { source: this.#path });
      at += bytesWritten;
    }
  }
}

async function openFile(path: string): Promise<{ readonly file: FileHandle; readonly isNew: boolean }> {
  try {
    return { file: await open(path, "wx"), isNew: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw hostError(path, error);
  }
  try {
    // A block device opened so is refused while it is mounted or otherwise in the kernel's use.
    const exclusive = (await stat(path)).isBlockDevice() ? constants.O_EXCL : 0;
    return { file: await open(path, constants.O_WRONLY | exclusive), isNew: false };
  } catch (error) {
    throw hostError(path, error);
  }
}

const busy = (path: string, cause: CevError): CevError =>
  new CevError("CEV_BUSY", cause.message, {
    source: path,
    hint: "nothing was written; end whoever writes or serves it first, or copy to another file",
    cause,
  });
