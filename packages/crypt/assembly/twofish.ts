// The block cipher Twofish (B. Schneier and others: "Twofish: A 128-Bit Block Cipher"). All addresses are bytes: `tables` are four of 256 words,
// each an S-box that depends on the key and its column of the MDS matrix; `keys` are 40 words.

function g(tables: usize, value: u32): u32 {
  return (
    load<u32>(tables + ((value & 0xff) << 2)) ^
    load<u32>(tables + (((value >> 8) & 0xff) << 2), 1024) ^
    load<u32>(tables + (((value >> 16) & 0xff) << 2), 2048) ^
    load<u32>(tables + ((value >> 24) << 2), 3072)
  );
}

/** Encrypts `count` blocks in place. */
export function encryptBlocks(tables: usize, keys: usize, data: usize, count: i32): void {
  for (let index = 0; index < count; index++) {
    let a = load<u32>(data) ^ load<u32>(keys);
    let b = load<u32>(data, 4) ^ load<u32>(keys, 4);
    let c = load<u32>(data, 8) ^ load<u32>(keys, 8);
    let d = load<u32>(data, 12) ^ load<u32>(keys, 12);
    // Two rounds each, after which the halves stand where they were.
    for (let key = keys + 32; key < keys + 160; key += 16) {
      let left = g(tables, a);
      let right = g(tables, rotl<u32>(b, 8));
      c = rotr<u32>(c ^ (left + right + load<u32>(key)), 1);
      d = rotl<u32>(d, 1) ^ (left + 2 * right + load<u32>(key, 4));
      left = g(tables, c);
      right = g(tables, rotl<u32>(d, 8));
      a = rotr<u32>(a ^ (left + right + load<u32>(key, 8)), 1);
      b = rotl<u32>(b, 1) ^ (left + 2 * right + load<u32>(key, 12));
    }
    store<u32>(data, c ^ load<u32>(keys, 16));
    store<u32>(data, d ^ load<u32>(keys, 20), 4);
    store<u32>(data, a ^ load<u32>(keys, 24), 8);
    store<u32>(data, b ^ load<u32>(keys, 28), 12);
    data += 16;
  }
}

/** Decrypts `count` blocks in place. */
export function decryptBlocks(tables: usize, keys: usize, data: usize, count: i32): void {
  for (let index = 0; index < count; index++) {
    let c = load<u32>(data) ^ load<u32>(keys, 16);
    let d = load<u32>(data, 4) ^ load<u32>(keys, 20);
    let a = load<u32>(data, 8) ^ load<u32>(keys, 24);
    let b = load<u32>(data, 12) ^ load<u32>(keys, 28);
    for (let key = keys + 144; key >= keys + 32; key -= 16) {
      let left = g(tables, c);
      let right = g(tables, rotl<u32>(d, 8));
      a = rotl<u32>(a, 1) ^ (left + right + load<u32>(key, 8));
      b = rotr<u32>(b ^ (left + 2 * right + load<u32>(key, 12)), 1);
      left = g(tables, a);
      right = g(tables, rotl<u32>(b, 8));
      c = rotl<u32>(c, 1) ^ (left + right + load<u32>(key));
      d = rotr<u32>(d ^ (left + 2 * right + load<u32>(key, 4)), 1);
    }
    store<u32>(data, a ^ load<u32>(keys));
    store<u32>(data, b ^ load<u32>(keys, 4), 4);
    store<u32>(data, c ^ load<u32>(keys, 8), 8);
    store<u32>(data, d ^ load<u32>(keys, 12), 12);
    data += 16;
  }
}
