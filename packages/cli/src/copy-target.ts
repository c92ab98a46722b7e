import { addAbortSignal } from "node:stream";
import type { Writable } from "node:stream";
import { CevError, environmentFrom } from "@cev/core";
import type { Device, Problem } from "@cev/core";
import { isUri } from "@cev/stack";
import { DeviceWrites } from "./copy-writes.ts";
import { ExitStatus } from "./exit-status.ts";
import { isFifo, openFifoOutput } from "./fifo.ts";
import { FileTarget } from "./file-target.ts";
import { hostError } from "./host-error.ts";
import { openUri } from "./open-uri.ts";
import { complain, notWhole } from "./output.ts";

const ZEROES = new Uint8Array(1 << 20);
/** How long a device is waited for that a copy goes no further to. */
const ABANDON_MS = 1000;

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
 * with an error when the signal aborts. `report` is told of what does not stop the copy.
 */
export async function openTarget(
  path: string,
  size: number,
  signal: AbortSignal,
  report: (problem: Problem) => void,
): Promise<CopyTarget> {
  if (path === "-") return new StreamTarget(process.stdout, "standard output");
  if (isUri(path)) return DeviceTarget.open(path, { size, signal, report });
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
  readonly #writes: DeviceWrites;
  #isChanged = false;

  private constructor(device: Device, signal: AbortSignal) {
    this.#device = device;
    this.#writes = new DeviceWrites(device, signal);
  }

  static async open(
    uri: string,
    {
      size,
      signal,
      report,
    }: { readonly size: number; readonly signal: AbortSignal; readonly report: (problem: Problem) => void },
  ): Promise<DeviceTarget> {
    const device = await openUri(uri, { isReadOnly: false, report });
    const unfit = unfitError(device, size);
    if (unfit === null) return new DeviceTarget(device, signal);
    await device.close();
    throw unfit;
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    this.#isChanged = true;
    return this.#writes.write(offset, data);
  }

  writeZeroes(offset: number, length: number): Promise<void> {
    this.#isChanged = true;
    return this.#writes.writeZeroes(offset, length);
  }

  async finish(): Promise<void> {
    await this.#writes.finish();
    await this.#device.close();
  }

  /** A server that hangs answers neither the writes nor the flush of the end: it is waited for a moment only. */
  async abandon(): Promise<void> {
    if (this.#isChanged) complain(notWhole(this.#device.name));
    const closed = this.#writes.settle().then(() => this.#device.close());
    await new Promise<void>((resolve) => {
      const timer = environmentFrom(globalThis).clock.after(ABANDON_MS, () => {
        // Its connection would keep the process alive when all else has been closed.
        setTimeout(() => process.exit(ExitStatus.failed), ABANDON_MS).unref();
        resolve();
      });
      const onEnd = (): void => {
        timer.cancel();
        resolve();
      };
      void closed.then(onEnd, onEnd);
    });
  }
}

/** Why nothing can be copied there; null where it can. */
function unfitError(device: Device, size: number): CevError | null {
  const source = device.name;
  if (device.isReadOnly)
    return new CevError("CEV_READ_ONLY", "it cannot be written: the server lets it be read only", {
      source,
      hint: "nothing was written; serve it without --read-only, or copy to another device",
    });
  if (device.size >= size) return null;
  return new CevError("CEV_OUT_OF_RANGE", `it has ${device.size} bytes, and the copy has ${size}`, {
    source,
    hint: "nothing was written; take a larger one",
  });
}
