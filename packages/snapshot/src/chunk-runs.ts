import type { Io } from "@cev/core";
import type { Snapshot } from "./snapshot.ts";

/** What is added to the offset of a request on its way to a store. Context of its action; used again and again. */
export class Move {
  readonly #free: Move[];
  #delta: number = Number.NaN;

  constructor(free: Move[]) {
    this.#free = free;
  }

  /** Moves a request that lies in one run of chunks to its place in the store; when it comes back it is moved back. */
  static to(free: Move[], io: Io, delta: number): void {
    const move = free.pop() ?? new Move(free);
    move.#delta = delta;
    io.pushAction(moveBack, move);
    io.offset += delta;
  }

  /** @internal */
  back(io: Io): void {
    io.offset -= this.#delta;
    this.#free.push(this);
  }
}

function moveBack(io: Io, move: Move): void {
  move.back(io);
}

/**
 * How many bytes from `offset` on, of `length`, are alike: in the store one behind the other (`newChunk` is where the first chunk
 * lies), or not in the store (`newChunk` is -1).
 */
export function runLength(snapshot: Snapshot, offset: number, length: number, newChunk: number): number {
  const { chunkSize } = snapshot.layout;
  const first = Math.floor(offset / chunkSize);
  const end = offset + length;
  for (let chunk = first + 1; chunk * chunkSize < end; chunk++) {
    const next = snapshot.table.get(chunk);
    if (newChunk < 0 ? next >= 0 : next !== newChunk + chunk - first) return chunk * chunkSize - offset;
  }
  return length;
}
