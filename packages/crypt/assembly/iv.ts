// Initialization vectors that are numbers: one block of 16 bytes per unit of a device. All addresses are bytes in the slab.

/** Little-endian numbers from `first` on, `step` apart, in the first 8 bytes of each block; `bits` of 32 cuts them to four bytes. */
export function writeLittle(target: usize, count: i32, first: f64, step: i32, bits: i32): void {
  const mask: u64 = bits == 32 ? 0xffffffff : 0xffffffffffffffff;
  let number = <u64>first;
  for (let index = 0; index < count; index++) {
    store<u64>(target, number & mask);
    store<u64>(target, 0, 8);
    number += <u64>step;
    target += 16;
  }
}

/** Big-endian numbers in the last 8 bytes of each block: number times 2^shift plus `add`. */
export function writeBig(target: usize, count: i32, first: f64, step: i32, shift: i32, add: i32): void {
  let number = <u64>first;
  for (let index = 0; index < count; index++) {
    store<u64>(target, 0);
    store<u64>(target, bswap<u64>((number << <u64>shift) + <u64>add), 8);
    number += <u64>step;
    target += 16;
  }
}
