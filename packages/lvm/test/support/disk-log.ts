import { environmentFrom, readBytes } from "@cev/core";
import type { CommitDevice } from "../../src/disk/commit.ts";
import type { ScanSource } from "../../src/disk/scan.ts";
import type { ImageLayer } from "./image-layer.ts";

const environment = environmentFrom(globalThis);

/** One write, as it reached a device, or the point up to which all of them are durable. */
export interface LoggedWrite {
  readonly device: LoggedDevice;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Writes of several devices in rounds: a flush of all of them ends a round. */
export class DiskLog {
  /** Rounds of writes, each durable before the next one began. */
  readonly rounds: LoggedWrite[][] = [[]];
  #unflushed = new Set<LoggedDevice>();

  add(write: LoggedWrite): void {
    this.#unflushed.add(write.device);
    this.rounds.at(-1)!.push(write);
  }

  flush(device: LoggedDevice): void {
    this.#unflushed.delete(device);
    if (this.#unflushed.size === 0 && this.rounds.at(-1)!.length > 0) this.rounds.push([]);
  }

  clear(): void {
    this.rounds.splice(0, this.rounds.length, []);
    this.#unflushed = new Set();
  }
}

/** A device in memory that logs what is written to it, and fails writes that a test wants to fail. */
export class LoggedDevice implements CommitDevice {
  readonly image: ImageLayer;
  readonly log: DiskLog;
  failWrite: (offset: number) => boolean = () => false;

  constructor(image: ImageLayer, log: DiskLog) {
    this.image = image;
    this.log = log;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.image.bytes.slice(offset, offset + length);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.failWrite(offset)) throw new Error(`the write at ${offset} failed`);
    this.image.bytes.set(bytes, offset);
    this.log.add({ device: this, offset, bytes: bytes.slice() });
  }

  async flush(): Promise<void> {
    this.log.flush(this);
  }
}

/** An image as the scan reads it. */
export function sourceOf(image: ImageLayer): ScanSource {
  return {
    name: image.name,
    size: image.bytes.length,
    read: (offset, length) => readBytes(image, environment, offset, length),
  };
}
