import { constants } from "node:fs";
import { open, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import type { Writable } from "node:stream";
import { CevError } from "@cev/core";
import type { Device } from "@cev/core";
import { isUri } from "@cev/stack";
import { isFifo, openFifoOutput } from "./fifo.ts";
import { hostError } from "./host-error.ts";
import { openUri } from "./open-uri.ts";
import { zeroRuns } from "./zero-runs.ts";

const ZEROES = new Uint8Array(1 << 20);

/** Where a device's content goes, in order. */
export interface CopyTarget {
  write(offset: number, data: Uint8Array): Promise<void>;
  /** So many bytes of zeroes, at most 1 MiB. */
  writeZeroes(offset: number, length: number): Promise<void>;
  /** All of it has been written: make it last. */
  finish(size: number): Promise<void>;
  /** The copy failed: leave nothing half done that was not there before. */
  abandon(): Promise<void>;
}

/**
 * Opens a file, a URI that a driver knows, or standard output for "-", for `size` bytes. Waiting for the reader of a FIFO ends
 * with an error when the signal aborts.
 */
export async function openTarget(path: string, size: number, signal: AbortSignal): Promise<CopyTarget> {
  if (path === "-") return new StreamTarget(process.stdout, "standard output");
  if (isUri(path)) return DeviceTarget.open(path, size);
  if (!(await isFifo(path))) return FileTarget.open(path);
  const stream = await openFifoOutput(path, signal).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : hostError(path, error);
  });
  // Each write tells its own error; as an event it would be nobody's.
  stream.on("error", () => undefined);
  return new FifoTarget(addAbortSignal(signal, stream), path);
}

class StreamTarget implements CopyTarget {
  protected readonly stream: Writable;
  readonly #name: string;

  constructor(stream: Writable, name: string) {
    this.stream = stream;
    this.#name = name;
  }

  write(_offset: number, data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(data, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(hostError(this.#name, error));
      });
    });
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    return this.write(offset, ZEROES.subarray(0, length));
  }

  async finish(): Promise<void> {}

  async abandon(): Promise<void> {}
}

/** Its stream is ours to end. */
class FifoTarget extends StreamTarget {
  override async finish(): Promise<void> {
    await new Promise<void>((resolve) => void this.stream.end(resolve));
  }

  override async abandon(): Promise<void> {
    this.stream.destroy();
  }
}

/** A device of somebody else's. What lies behind the end of the copy stays as it was. */
class DeviceTarget implements CopyTarget {
  readonly #device: Device;

  private constructor(device: Device) {
    this.#device = device;
  }

  static async open(uri: string, size: number): Promise<DeviceTarget> {
    const device = await openUri(uri, { isReadOnly: false });
    if (device.size >= size) return new DeviceTarget(device);
    await device.close();
    throw new CevError("CEV_OUT_OF_RANGE", `it has ${device.size} bytes, and the copy has ${size}`, {
      source: device.name,
      hint: "nothing was written; take a larger one",
    });
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#device.write(offset, data);
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    const device = this.#device;
    if (device.support.writeZeroes === "none") return device.write(offset, ZEROES.subarray(0, length));
    return device.writeZeroes(offset, length);
  }

  async finish(): Promise<void> {
    if (this.#device.support.flush !== "none") await this.#device.flush();
    await this.#device.close();
  }

  async abandon(): Promise<void> {
    await this.#device.close().catch(() => undefined);
  }
}

class FileTarget implements CopyTarget {
  readonly #path: string;
  readonly #file: FileHandle;
  /** Made by this copy: what is not written in it is a hole, and reads as zeroes. */
  readonly #isNew: boolean;
  readonly #isRegular: boolean;
  readonly #hasOffsets: boolean;

  private constructor(
    path: string,
    file: FileHandle,
    isNew: boolean,
    isRegular: boolean,
    hasOffsets: boolean,
  ) {
    this.#path = path;
    this.#file = file;
    this.#isNew = isNew;
    this.#isRegular = isRegular;
    this.#hasOffsets = hasOffsets;
  }

  static async open(path: string): Promise<FileTarget> {
    try {
      return new FileTarget(path, await open(path, "wx"), true, true, true);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw hostError(path, error);
    }
    const file = await open(path, constants.O_WRONLY).catch((error: unknown) => {
      throw hostError(path, error);
    });
    const facts = await file.stat();
    return new FileTarget(path, file, false, facts.isFile(), facts.isFile() || facts.isBlockDevice());
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    try {
      if (!this.#isNew) return await this.#writeAll(data, offset);
      for (const { start, end, isZero } of zeroRuns(data)) {
        if (!isZero) await this.#writeAll(data.subarray(start, end), offset + start);
      }
    } catch (error) {
      throw hostError(this.#path, error);
    }
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    // In a new file what is not written is a hole.
    if (!this.#isNew) await this.write(offset, ZEROES.subarray(0, length));
  }

  async finish(size: number): Promise<void> {
    try {
      if (this.#isRegular) await this.#file.truncate(size);
      if (this.#hasOffsets) await this.#file.sync();
      await this.#file.close();
    } catch (error) {
      throw hostError(this.#path, error);
    }
  }

  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    if (this.#isNew) await unlink(this.#path).catch(() => undefined);
  }

  async #writeAll(data: Uint8Array, offset: number): Promise<void> {
    for (let at = 0; at < data.length;) {
      const position = this.#hasOffsets ? offset + at : null;
      const { bytesWritten } = await this.#file.write(data, at, data.length - at, position);
      if (bytesWritten === 0) throw new CevError("CEV_NO_SPACE", "it takes no more", { source: this.#path });
      at += bytesWritten;
    }
  }
}
