/** File systems and arrays keep holes in units of this. */
const BLOCK = 4096;
const ZEROES = Buffer.alloc(BLOCK);

/** A part of some memory. */
export interface Run {
  readonly start: number;
  readonly end: number;
  readonly isZero: boolean;
}

/** Cuts memory into runs of blocks that are all zeroes and runs that are not. */
export function* zeroRuns(data: Uint8Array): Generator<Run, void, void> {
  let start = 0;
  while (start < data.length) {
    const isZero = isZeroBlock(data, start);
    let end = start + BLOCK;
    while (end < data.length && isZeroBlock(data, end) === isZero) end += BLOCK;
    end = Math.min(end, data.length);
    yield { start, end, isZero };
    start = end;
  }
}

function isZeroBlock(data: Uint8Array, start: number): boolean {
  const end = Math.min(start + BLOCK, data.length);
  return ZEROES.compare(data, start, end, 0, end - start) === 0;
}
