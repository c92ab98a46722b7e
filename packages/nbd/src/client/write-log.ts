/** What a server has answered and may still lose: the newest contents of a range, until they are durable. */
export interface LoggedWrite {
  readonly offset: number;
  readonly length: number;
  /** A copy in memory of its own; null: zeroes. */
  readonly data: Uint8Array | null;
  /** `CommandFlag`s of zeroes. */
  readonly flags: number;
  /** When it was answered, counted in answers. */
  readonly sequence: number;
}

/** What an entry costs beside its data. */
const ENTRY_COST = 128;

/** Bytes of memory that the copy of a write takes. */
export function costOf(dataLength: number): number {
  return dataLength + ENTRY_COST;
}

/**
 * All that was answered and not made durable since. Ranges never overlap: what is answered later takes the place of what it
 * covers, so that writing all of it again in any order gives the newest contents.
 */
export class WriteLog {
  /** By offset. */
  #entries: LoggedWrite[] = [];
  #sequence = 0;
  #bytes = 0;

  /** Bytes of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** The number of the newest answer: a flush that is sent now covers all up to it. */
  get sequence(): number {
    return this.#sequence;
  }

  get entries(): readonly LoggedWrite[] {
    return this.#entries;
  }

  /** A write (`data`: a copy that is the log's to keep) or zeroes were answered. */
  add(offset: number, length: number, data: Uint8Array | null, flags = 0): void {
    const at = this.#cut(offset, length);
    this.#entries.splice(at, 0, { offset, length, data, flags, sequence: ++this.#sequence });
    this.#bytes += heldBy(data);
  }

  /** What lies there is durable by itself, or need not be kept. */
  cut(offset: number, length: number): void {
    this.#cut(offset, length);
  }

  /** A flush that was sent after that answer has succeeded. */
  dropUpTo(sequence: number): void {
    if (this.#entries.length === 0) return;
    this.#keep((entry) => entry.sequence > sequence);
  }

  /** These are durable. */
  remove(entries: ReadonlySet<LoggedWrite>): void {
    this.#keep((entry) => !entries.has(entry));
  }

  #keep(isKept: (entry: LoggedWrite) => boolean): void {
    this.#entries = this.#entries.filter(isKept);
    this.#bytes = this.#entries.reduce((sum, { data }) => sum + heldBy(data), 0);
  }

  /** Makes a gap, and tells where in the list it is. */
  #cut(offset: number, length: number): number {
    const entries = this.#entries;
    const end = offset + length;
    const first = this.#firstEndingAfter(offset);
    let last = first;
    while (last < entries.length && entries[last]!.offset < end) last++;
    if (first === last) return first;
    const kept: LoggedWrite[] = [];
    for (let index = first; index < last; index++) {
      const entry = entries[index]!;
      this.#bytes -= heldBy(entry.data);
      if (entry.offset < offset) kept.push(partOf(entry, entry.offset, offset));
    }
    const frontCount = kept.length;
    const back = entries[last - 1]!;
    if (back.offset + back.length > end) kept.push(partOf(back, end, back.offset + back.length));
    entries.splice(first, last - first, ...kept);
    for (const { data } of kept) this.#bytes += heldBy(data);
    return first + frontCount;
  }

  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { offset: start, length } = this.#entries[middle]!;
      if (start + length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A rest that is short beside the memory it lies in is copied, so that it does not hold that; a long one stays where it is. */
function partOf({ offset, data, flags, sequence }: LoggedWrite, start: number, end: number): LoggedWrite {
  const isLong = data !== null && end - start > data.buffer.byteLength / 2;
  const part = data?.subarray(start - offset, end - offset) ?? null;
  const kept = part === null || isLong ? part : new Uint8Array(part);
  return { offset: start, length: end - start, data: kept, flags, sequence };
}

/** Bytes of memory: of all that its data lies in, which no other entry shares. */
function heldBy(data: Uint8Array | null): number {
  return costOf(data?.buffer.byteLength ?? 0);
}
