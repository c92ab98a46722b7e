import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { AsyncLayer, plainLimits, runOf } from "@cev/core";
import type { Io, LayerDescription, Limits, Run, Support } from "@cev/core";

const SECTOR = 512;

/**
 * A file that does not end with a sector, as QEMU shows it: up to the end of its last sector, with zeroes there. (The driver of cev
 * shows whole sectors alone.)
 */
export class OddFileLayer extends AsyncLayer {
  readonly name = "odd-file";
  readonly limits: Limits;
  readonly support: Support;
  readonly #path: string;
  readonly #length: number;
  readonly #isReadOnly: boolean;
  #handle: FileHandle | null = null;

  /** `length`: bytes of the file. */
  constructor(path: string, length: number, isReadOnly: boolean) {
    super();
    this.#path = path;
    this.#length = length;
    this.#isReadOnly = isReadOnly;
    this.limits = plainLimits(Math.ceil(length / SECTOR) * SECTOR, { logicalBlockSize: 1 });
    const writing = isReadOnly ? "none" : "native";
    this.support = {
      ...{ read: "native", write: writing, flush: writing },
      ...{ discard: "none", writeZeroes: "none", fua: "none" },
    };
  }

  override async open(): Promise<void> {
    this.#handle = await open(this.#path, this.#isReadOnly ? "r" : "r+");
  }

  override async read({ data, dataOffset, offset, length }: Io): Promise<void> {
    let at = 0;
    while (at < length) {
      const { bytesRead } = await this.#handle!.read(data, dataOffset + at, length - at, offset + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    data.fill(0, dataOffset + at, dataOffset + length);
  }

  override async write({ data, dataOffset, offset, length }: Io): Promise<void> {
    for (let at = 0; at < length;) {
      const { bytesWritten } = await this.#handle!.write(data, dataOffset + at, length - at, offset + at);
      at += bytesWritten;
    }
  }

  override async flush(): Promise<void> {
    await this.#handle!.datasync();
  }

  runs(offset: number, length: number): readonly Run[] {
    const dataLength = Math.min(length, Math.max(0, this.#length - offset));
    return [
      ...(dataLength > 0 ? runOf("data", dataLength) : []),
      ...(dataLength < length ? runOf("hole", length - dataLength) : []),
    ];
  }

  override async close(): Promise<void> {
    await this.#handle?.close();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: { path: this.#path }, lowers: [] };
  }
}
