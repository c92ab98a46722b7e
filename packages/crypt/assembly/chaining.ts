// What the modes cbc and ctr need beside the block cipher. All addresses are bytes in the slab; blocks have 16 bytes.

/** target = target XOR source, in the blocks of a dense row at `row` and of `count` units that are `stride` bytes apart. */
export function xorIntoRow(row: usize, count: i32, units: usize, stride: i32): void {
  for (let index = 0; index < count; index++) {
    v128.store(row, v128.xor(v128.load(row), v128.load(units)));
    row += 16;
    units += <usize>stride;
  }
}

/** The same the other way round: each unit's block takes the row's. */
export function xorIntoUnits(row: usize, count: i32, units: usize, stride: i32): void {
  for (let index = 0; index < count; index++) {
    v128.store(units, v128.xor(v128.load(units), v128.load(row)));
    row += 16;
    units += <usize>stride;
  }
}

/** One step of CBC in all units: each block of the row goes to its unit in `target`, and takes in the block that follows in `source`. */
export function stepRow(row: usize, count: i32, source: usize, target: usize, stride: i32): void {
  for (let index = 0; index < count; index++) {
    const block = v128.load(row);
    v128.store(target, block);
    v128.store(row, v128.xor(block, v128.load(source, 16)));
    row += 16;
    source += <usize>stride;
    target += <usize>stride;
  }
}

/** Each block of the row goes to its unit. */
export function storeRow(row: usize, count: i32, target: usize, stride: i32): void {
  for (let index = 0; index < count; index++) {
    v128.store(target, v128.load(row));
    row += 16;
    target += <usize>stride;
  }
}

/** From the first counter of each of `count` units makes those of all its blocks: big-endian numbers of 16 bytes, which wrap. */
export function writeCounters(firsts: usize, target: usize, count: i32, blocksPerUnit: i32): void {
  for (let unit = 0; unit < count; unit++) {
    let high = bswap<u64>(load<u64>(firsts));
    let low = bswap<u64>(load<u64>(firsts, 8));
    for (let block = 0; block < blocksPerUnit; block++) {
      store<u64>(target, bswap<u64>(high));
      store<u64>(target, bswap<u64>(low), 8);
      low++;
      if (low == 0) high++;
      target += 16;
    }
    firsts += 16;
  }
}

/** target = source XOR stream, over whole blocks. */
export function xorStream(stream: usize, length: i32, source: usize, target: usize): void {
  const end = stream + <usize>length;
  while (stream < end) {
    v128.store(target, v128.xor(v128.load(source), v128.load(stream)));
    stream += 16;
    source += 16;
    target += 16;
  }
}
