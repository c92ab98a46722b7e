import type { BufferPool, PoolBuffer } from "@cev/core";

/** Memory for one piece of the device. Only pieces that were written have one. */
interface Piece {
  readonly buffer: PoolBuffer;
  // Asked for once: the getters of typed arrays and memories cost more than a small copy.
  readonly memory: ArrayBufferLike;
  readonly address: number;
}

type Table = (Piece | null)[];

const PIECES_PER_TABLE = 1024;

/**
 * A sparse range of bytes, up to the largest safe integer: pieces of equal length, taken from a buffer pool when they
 * are first written and given back when they are erased. What has no memory reads as zeroes.
 */
export class SparseMemory {
  /** Bytes; a power of two. */
  readonly pieceLength: number;
  /** How many pieces have memory. */
  pieceCount = 0;
  readonly #buffers: BufferPool;
  // Tables of pieces are made on first use, so that an empty device of any size costs nothing.
  readonly #tables: (Table | undefined)[] = [];
  readonly #tableIndexes: number[] = [];
  // Powers of two: multiplying by their inverse is exact, and several times faster than a division.
  readonly #perPiece: number;
  readonly #perTable: number = 1 / PIECES_PER_TABLE;

  constructor(buffers: BufferPool, pieceLength: number) {
    this.#buffers = buffers;
    this.pieceLength = pieceLength;
    this.#perPiece = 1 / pieceLength;
  }

  /** Copies a range out, into `data` from `dataOffset` on. */
  read(offset: number, length: number, data: Uint8Array, dataOffset: number): void {
    let at = 0;
    while (at < length) {
      const index = Math.floor((offset + at) * this.#perPiece);
      const within = offset + at - index * this.pieceLength;
      const part = Math.min(this.pieceLength - within, length - at);
      const piece = this.#find(index);
      if (piece === null) data.fill(0, dataOffset + at, dataOffset + at + part);
      else data.set(new Uint8Array(piece.memory, piece.address + within, part), dataOffset + at);
      at += part;
    }
  }

  /** Copies a range in. Returns how many bytes found room: fewer than `length` when the pool is used up. */
  write(offset: number, length: number, data: Uint8Array, dataOffset: number): number {
    const memory = data.buffer;
    const start = data.byteOffset + dataOffset;
    let at = 0;
    while (at < length) {
      const index = Math.floor((offset + at) * this.#perPiece);
      const within = offset + at - index * this.pieceLength;
      const part = Math.min(this.pieceLength - within, length - at);
      const piece = this.#find(index) ?? this.#take(index, within, part);
      if (piece === null) break;
      piece.buffer.bytes.set(new Uint8Array(memory, start + at, part), within);
      at += part;
    }
    return at;
  }

  /** Makes a range read as zeroes; whole pieces lose their memory. */
  zero(offset: number, length: number): void {
    this.#erase(offset, length, true);
  }

  /** Makes a range read as zeroes and have memory. Returns how many bytes found room. */
  zeroAllocated(offset: number, length: number): number {
    let at = 0;
    while (at < length) {
      const index = Math.floor((offset + at) * this.#perPiece);
      const within = offset + at - index * this.pieceLength;
      const part = Math.min(this.pieceLength - within, length - at);
      const piece = this.#find(index) ?? this.#take(index, within, part);
      if (piece === null) break;
      piece.buffer.bytes.fill(0, within, within + part);
      at += part;
    }
    return at;
  }

  /** Takes the memory of the whole pieces inside a range; the rest of it keeps its contents. */
  discard(offset: number, length: number): void {
    this.#erase(offset, length, false);
  }

  /** Whether a byte has memory. */
  hasMemoryAt(offset: number): boolean {
    return this.#find(Math.floor(offset * this.#perPiece)) !== null;
  }

  /** Where what is said of the byte at `offset` stops being true, or `end`: the first byte with memory after one without, or the reverse. */
  borderAfter(offset: number, end: number): number {
    const hasMemory = this.hasMemoryAt(offset);
    const indexEnd = Math.ceil(end * this.#perPiece);
    let index = Math.floor(offset * this.#perPiece) + 1;
    while (index < indexEnd) {
      const tableIndex = Math.floor(index * this.#perTable);
      if (this.#tables[tableIndex] === undefined) {
        if (hasMemory) break;
        // Nothing was ever written from here to the next table, however far that is.
        index = this.#tableAfter(tableIndex) * PIECES_PER_TABLE;
      } else {
        if ((this.#find(index) !== null) !== hasMemory) break;
        index++;
      }
    }
    return Math.min(index * this.pieceLength, end);
  }

  /** Gives all memory back. */
  clear(): void {
    for (const index of this.#tableIndexes)
      for (const piece of this.#tables[index] ?? []) if (piece !== null) this.#buffers.release(piece.buffer);
    this.#tables.length = 0;
    this.#tableIndexes.length = 0;
    this.pieceCount = 0;
  }

  #erase(offset: number, length: number, canFill: boolean): void {
    if (length === 0) return;
    const tableLength = this.pieceLength * PIECES_PER_TABLE;
    const end = offset + length;
    const first = Math.floor(offset / tableLength);
    const last = Math.floor((end - 1) / tableLength);
    if (first === last) return this.#eraseInTable(first, offset, end, canFill);
    // Of a large range only what was ever written is looked at, however large it is.
    for (const tableIndex of this.#tableIndexes) {
      if (tableIndex < first || tableIndex > last) continue;
      const tableStart = tableIndex * tableLength;
      const partEnd = Math.min(end, tableStart + tableLength);
      this.#eraseInTable(tableIndex, Math.max(offset, tableStart), partEnd, canFill);
    }
  }

  #eraseInTable(tableIndex: number, start: number, end: number, canFill: boolean): void {
    const table = this.#tables[tableIndex];
    if (table === undefined) return;
    let at = start;
    while (at < end) {
      const index = Math.floor(at * this.#perPiece);
      const within = at - index * this.pieceLength;
      const part = Math.min(this.pieceLength - within, end - at);
      const piece = table[index - tableIndex * PIECES_PER_TABLE]!;
      if (piece !== null && part === this.pieceLength) {
        table[index - tableIndex * PIECES_PER_TABLE] = null;
        this.pieceCount--;
        this.#buffers.release(piece.buffer);
      } else if (piece !== null && canFill) {
        piece.buffer.bytes.fill(0, within, within + part);
      }
      at += part;
    }
  }

  #tableAfter(tableIndex: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const index of this.#tableIndexes) if (index > tableIndex && index < next) next = index;
    return next;
  }

  #find(index: number): Piece | null {
    const tableIndex = Math.floor(index * this.#perTable);
    const table = this.#tables[tableIndex];
    return table === undefined ? null : table[index - tableIndex * PIECES_PER_TABLE]!;
  }

  /** Takes memory for a piece, zeroed but for the part that is about to be filled. Null: the pool is used up. */
  #take(index: number, within: number, part: number): Piece | null {
    const buffer = this.#buffers.tryAcquire(this.pieceLength);
    if (buffer === null) return null;
    buffer.bytes.fill(0, 0, within);
    buffer.bytes.fill(0, within + part, this.pieceLength);
    const piece = { buffer, memory: buffer.bytes.buffer, address: buffer.address };
    const tableIndex = Math.floor(index * this.#perTable);
    let table = this.#tables[tableIndex];
    if (table === undefined) {
      table = new Array<Piece | null>(PIECES_PER_TABLE).fill(null);
      this.#tables[tableIndex] = table;
      this.#tableIndexes.push(tableIndex);
    }
    table[index - tableIndex * PIECES_PER_TABLE] = piece;
    this.pieceCount++;
    return piece;
  }
}
