import { CevError, IoFlag, Op, isCevError, request as submitRequest, writeBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { LogFlag, encodeLogEntry, encodeLogSuper } from "./log-writes.ts";
import type { RecordSink, RecordedRequest } from "./recorded.ts";
import { WriteOrder } from "./write-order.ts";

/** Settings of a `LogWritesSink`. */
export interface LogWritesOptions {
  readonly environment: Environment;
  /** Bytes of data that may wait for the log; then requests wait too. Default 16 MiB. */
  readonly memoryMax?: number;
  /** Nothing is written, and nothing recorded: of a stack that is only read. Default false. */
  readonly isReadOnly?: boolean;
  /** Recording has ended before its time: the log is full, or failed. Requests go on. Told once. */
  readonly onEnd?: (error: CevError) => void;
}

interface Entry {
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
  readonly mark: string;
  readonly data: Uint8Array | null;
}

const PIECE_MAX = 1024 * 1024;
const END_MARK = "dm-log-writes-end";

/** Records on a device, in the format of Linux's dm-log-writes, which its `replay-log` reads. The log is the newest at each flush, FUA and mark. */
export class LogWritesSink implements RecordSink {
  readonly log: Layer;
  /** Why recording has ended; null: it goes on. */
  error: CevError | null = null;
  entryCount = 0;
  readonly #environment: Environment;
  readonly #memoryMax: number;
  readonly #isReadOnly: boolean;
  readonly #onEnd: ((error: CevError) => void) | undefined;
  #order = new WriteOrder();
  // Work on the log is done one after the other.
  #work: Promise<void> = Promise.resolve();
  #sectorSize = 512;
  #position = 0;
  /** Bytes of data on their way to the log. */
  #queuedLength = 0;

  constructor(log: Layer, options: LogWritesOptions) {
    this.log = log;
    this.#environment = options.environment;
    this.#memoryMax = options.memoryMax ?? 16 * 1024 * 1024;
    this.#isReadOnly = options.isReadOnly ?? false;
    this.#onEnd = options.onEnd;
  }

  /** @internal Throws `CEV_INVALID` where the log cannot tell of the device's requests. */
  checkDevice({ limits, name }: Layer): void {
    const sectorSize = Math.max(512, limits.logicalBlockSize);
    if (limits.logicalBlockSize < 512)
      throw new CevError(
        "CEV_INVALID",
        `${name} has blocks of ${limits.logicalBlockSize} bytes; the log counts in 512 at least`,
      );
    if (this.log.limits.logicalBlockSize > sectorSize)
      throw new CevError(
        "CEV_INVALID",
        `the log has blocks of ${this.log.limits.logicalBlockSize} bytes, more than the device (${sectorSize})`,
      );
    this.#sectorSize = sectorSize;
  }

  /** Begins anew: what the log held before is gone. */
  async open(): Promise<void> {
    this.error = null;
    this.entryCount = 0;
    this.#order = new WriteOrder();
    this.#position = this.#sectorSize;
    this.#queuedLength = 0;
    if (this.#isReadOnly) {
      this.error = new CevError("CEV_READ_ONLY", "nothing is recorded: nothing may be written", {
        layer: this.log.name,
      });
      return;
    }
    if (this.log.limits.size < 2 * this.#sectorSize)
      throw new CevError("CEV_NO_SPACE", `the log has only ${this.log.limits.size} bytes`);
    await this.#writeSuper();
  }

  began(request: RecordedRequest): void {
    if (this.error === null) this.#order.began(request);
  }

  ended(request: RecordedRequest): Promise<void> | null {
    if (this.error !== null) return null;
    const listed = this.#order.ended(request);
    const isFull = this.#queuedLength + this.#order.length > this.#memoryMax;
    // Without a flush under way there is none that would seem to cover more than it did.
    if (isFull && !this.#order.isFlushing) listed.push(...this.#order.rest());
    if (listed.length > 0) void this.#append(listed.flatMap(entriesOf), true);
    return isFull && listed.length > 0 ? this.#work : null;
  }

  mark(text: string): Promise<void> {
    return this.#append([{ offset: 0, length: 0, flags: LogFlag.mark, mark: text, data: null }], true);
  }

  async close(): Promise<void> {
    void this.#append(this.#order.rest().flatMap(entriesOf), false);
    await this.mark(END_MARK);
  }

  /** Behind all that is on its way. Never rejects. */
  #append(entries: readonly Entry[], endsBatch: boolean): Promise<void> {
    for (const { data } of entries) this.#queuedLength += data?.length ?? 0;
    this.#work = this.#work.then(async () => {
      try {
        for (const entry of entries) if (this.error === null) await this.#write(entry);
        if (endsBatch && this.error === null) await this.#writeSuper();
      } catch (error) {
        if (!isCevError(error)) throw error;
        this.#end(error);
      }
      for (const { data } of entries) this.#queuedLength -= data?.length ?? 0;
    });
    return this.#work;
  }

  async #write(entry: Entry): Promise<void> {
    const hasData = (entry.flags & LogFlag.discard) === 0;
    const length = this.#sectorSize + (hasData ? entry.length : 0);
    if (this.#position + length > this.log.limits.size)
      throw new CevError(
        "CEV_NO_SPACE",
        `the log of ${this.log.limits.size} bytes is full after ${this.entryCount} entries`,
      );
    const bytes = new Uint8Array(length);
    bytes.set(encodeLogEntry(entry, this.#sectorSize));
    if (entry.data !== null) bytes.set(entry.data, this.#sectorSize);
    await writeBytes(this.log, this.#environment, this.#position, bytes);
    this.#position += length;
    this.entryCount++;
  }

  /** Only now do the entries count, so they are durable first. */
  async #writeSuper(): Promise<void> {
    const canFlush = this.log.support.flush !== "none";
    if (canFlush) await submitRequest(this.log, this.#environment, Op.flush, 0, 0);
    const bytes = encodeLogSuper({ entryCount: this.entryCount, sectorSize: this.#sectorSize });
    await writeBytes(this.log, this.#environment, 0, bytes, canFlush || this.log.support.fua !== "none");
  }

  #end(error: CevError): void {
    if (this.error !== null) return;
    this.error = error;
    this.#onEnd?.(error);
  }
}

/** Zeroes are data here, in pieces; a flush and a mark have none. */
function entriesOf({ op, offset, length, flags, data }: RecordedRequest): Entry[] {
  const fua = (flags & IoFlag.fua) === 0 ? 0 : LogFlag.fua;
  switch (op) {
    case Op.flush:
      return [{ offset: 0, length: 0, flags: LogFlag.flush, mark: "", data: null }];
    case Op.discard:
      return [{ offset, length, flags: LogFlag.discard | fua, mark: "", data: null }];
    case Op.writeZeroes: {
      const entries: Entry[] = [];
      for (let within = 0; within < length; within += PIECE_MAX)
        entries.push({
          offset: offset + within,
          length: Math.min(PIECE_MAX, length - within),
          flags: fua,
          mark: "",
          data: null,
        });
      return entries;
    }
    default:
      return [{ offset, length, flags: fua, mark: "", data }];
  }
}
