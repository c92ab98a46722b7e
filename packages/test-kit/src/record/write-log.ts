import { MetadataError, readBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { LogFlag, dataLengthOf, decodeLogEntry, decodeLogSuper } from "./log-writes.ts";
import type { LogEntry, LogSuper } from "./log-writes.ts";
import type { RecordStep, Recording } from "./recorded.ts";

/** A log of dm-log-writes, ours or the kernel's, on a device that is open. */
export class WriteLog implements Recording {
  readonly entryCount: number;
  /** The unit of its offsets. Bytes. */
  readonly sectorSize: number;
  readonly #log: Layer;
  readonly #environment: Environment;
  readonly #source: string;
  readonly #super: LogSuper;

  private constructor(log: Layer, environment: Environment, source: string, superBlock: LogSuper) {
    this.entryCount = superBlock.entryCount;
    this.sectorSize = superBlock.sectorSize;
    this.#log = log;
    this.#environment = environment;
    this.#source = source;
    this.#super = superBlock;
  }

  /** Reads the super block. Throws `CEV_BAD_METADATA` or `CEV_UNKNOWN_FEATURE`. `source`: the log, for people. */
  static async open(log: Layer, environment: Environment, source: string = log.name): Promise<WriteLog> {
    const head = await readBytes(log, environment, 0, Math.min(512, log.limits.size));
    return new WriteLog(log, environment, source, decodeLogSuper(head, source));
  }

  /** Each entry as it is read; what lies behind the last one is not looked at. Throws as `open`. */
  async *steps(): AsyncGenerator<RecordStep> {
    let at = this.sectorSize;
    for (let index = 0; index < this.entryCount; index++) {
      const entry = await this.#entryAt(at);
      const dataAt = at + this.sectorSize;
      at = dataAt + dataLengthOf(entry);
      if (at > this.#log.limits.size)
        throw this.#bad(
          "nr_sectors",
          dataAt - this.sectorSize + 8,
          "the data of the entry passes the end of the log",
        );
      // A write that asks for a flush first is two steps.
      if (entry.length > 0 && (entry.flags & LogFlag.flush) !== 0)
        yield this.#step(index, { ...entry, offset: 0, length: 0, flags: LogFlag.flush }, dataAt);
      yield this.#step(index, entry, dataAt);
    }
  }

  async #entryAt(at: number): Promise<LogEntry> {
    if (at + this.sectorSize > this.#log.limits.size)
      throw this.#bad("nr_entries", 16, `there are fewer than ${this.entryCount} entries`);
    const bytes = await readBytes(this.#log, this.#environment, at, this.sectorSize);
    return decodeLogEntry(bytes, this.#super, this.#source, at);
  }

  #step(index: number, { offset, length, flags, mark }: LogEntry, dataAt: number): RecordStep {
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const kind = has(LogFlag.mark)
      ? "mark"
      : has(LogFlag.discard)
        ? "discard"
        : length > 0
          ? "write"
          : "flush";
    return {
      index,
      kind,
      isDurable: has(LogFlag.fua),
      offset,
      length,
      mark,
      atMs: null,
      read: (within, count) => readBytes(this.#log, this.#environment, dataAt + within, count),
    };
  }

  #bad(field: string, byteOffset: number, message: string): MetadataError {
    return new MetadataError(message, {
      source: this.#source,
      structure: "dm-log-writes log",
      field,
      byteOffset,
    });
  }
}
