import { createBlockTransform } from "./block-cipher.ts";
import type { CipherSpec } from "./cipher-spec.ts";
import { LrwTweaks } from "./lrw-tweaks.ts";
import { LRW_TWEAK_KEY_LENGTH } from "./lrw.ts";
import { plainIvs } from "./plain-iv.ts";
import type { UnitRun } from "./unit-run.ts";
import { wipe } from "../key/secret.ts";

const BLOCK_LENGTH = 16;

/**
 * Encrypts or decrypts whole units in place, in plain TypeScript on any memory: what every `SectorCipher` is held equal to, and what
 * handles key material, for it leaves no copies behind. `key`: the whole key.
 */
export function transformPlain(
  direction: "encrypt" | "decrypt",
  spec: CipherSpec,
  key: Uint8Array,
  data: Uint8Array,
  units: UnitRun,
): void {
  transformWithIvs(direction, spec, key, data, plainIvs(spec, key, units, data.length / units.unitLength));
}

/** The same with the initialization vectors of all units one behind the other in `ivs`, which is overwritten. */
export function transformWithIvs(
  direction: "encrypt" | "decrypt",
  spec: CipherSpec,
  key: Uint8Array,
  data: Uint8Array,
  ivs: Uint8Array,
): void {
  switch (spec.mode) {
    case "xts":
      return xts(direction, spec, key, data, ivs);
    case "lrw":
      return lrw(direction, spec, key, data, ivs);
    case "cbc":
      if (direction === "encrypt") return encryptCbc(spec, key, data, ivs);
      return decryptCbc(spec, key, data, ivs);
    case "ctr":
      return ctr(spec, key, data, ivs);
    case "ecb":
      return replaceBlocks(direction, spec, key, data);
  }
}

/** IEEE 1619: ECB between two XORs with the encrypted IV, which doubles from block to block. */
function xts(
  direction: "encrypt" | "decrypt",
  spec: CipherSpec,
  key: Uint8Array,
  data: Uint8Array,
  ivs: Uint8Array,
): void {
  const half = key.length / 2;
  replaceBlocks("encrypt", spec, key.subarray(half), ivs);
  const unitLength = (data.length / ivs.length) * BLOCK_LENGTH;
  const tweaks = new Uint8Array(data.length);
  for (let start = 0; start < data.length; start += unitLength) {
    const unit = start / unitLength;
    tweaks.set(ivs.subarray(unit * BLOCK_LENGTH, (unit + 1) * BLOCK_LENGTH), start);
    for (let at = start + BLOCK_LENGTH; at < start + unitLength; at += BLOCK_LENGTH)
      doubleBlock(tweaks, at - BLOCK_LENGTH, at);
  }
  xorInto(data, tweaks);
  replaceBlocks(direction, spec, key.subarray(0, half), data);
  xorInto(data, tweaks);
  wipe(tweaks, ivs);
}

/** ECB between two XORs with the product of the second part of the key and the block's number, which begins with the IV. */
function lrw(
  direction: "encrypt" | "decrypt",
  spec: CipherSpec,
  key: Uint8Array,
  data: Uint8Array,
  ivs: Uint8Array,
): void {
  const cipherLength = key.length - LRW_TWEAK_KEY_LENGTH;
  const unitLength = (data.length / ivs.length) * BLOCK_LENGTH;
  const products = new LrwTweaks(key.subarray(cipherLength));
  // The last block is room for the IV.
  const tweaks = new Uint8Array(data.length + BLOCK_LENGTH);
  const view = new DataView(tweaks.buffer);
  for (let unit = 0; unit * BLOCK_LENGTH < ivs.length; unit++) {
    tweaks.set(ivs.subarray(unit * BLOCK_LENGTH, (unit + 1) * BLOCK_LENGTH), data.length);
    products.write(view, data.length, unit * unitLength, unitLength / BLOCK_LENGTH);
  }
  xorInto(data, tweaks);
  replaceBlocks(direction, spec, key.subarray(0, cipherLength), data);
  xorInto(data, tweaks);
  products.clear();
  wipe(tweaks);
}

/** NIST SP 800-38A, 6.2. Blocks depend on one another within a unit only: so all units take a step together. */
function encryptCbc(spec: CipherSpec, key: Uint8Array, data: Uint8Array, ivs: Uint8Array): void {
  const unitCount = ivs.length / BLOCK_LENGTH;
  const unitLength = data.length / unitCount;
  const cipher = createBlockTransform(spec.cipher, key, "ecb", "encrypt");
  const blocks = ivs;
  for (let within = 0; within < unitLength; within += BLOCK_LENGTH) {
    for (let unit = 0; unit < unitCount; unit++)
      xorBlock(blocks, unit * BLOCK_LENGTH, data, unit * unitLength + within);
    const result = cipher.update(blocks);
    blocks.set(result);
    wipe(result);
    for (let unit = 0; unit < unitCount; unit++) {
      const block = blocks.subarray(unit * BLOCK_LENGTH, (unit + 1) * BLOCK_LENGTH);
      data.set(block, unit * unitLength + within);
    }
  }
}

function decryptCbc(spec: CipherSpec, key: Uint8Array, data: Uint8Array, ivs: Uint8Array): void {
  const unitLength = (data.length / ivs.length) * BLOCK_LENGTH;
  const previous = new Uint8Array(data.length);
  previous.set(data.subarray(0, data.length - BLOCK_LENGTH), BLOCK_LENGTH);
  for (let start = 0; start < data.length; start += unitLength) {
    const unit = start / unitLength;
    previous.set(ivs.subarray(unit * BLOCK_LENGTH, (unit + 1) * BLOCK_LENGTH), start);
  }
  replaceBlocks("decrypt", spec, key, data);
  xorInto(data, previous);
}

/** NIST SP 800-38A, 6.5. The counter is the unit's IV, a big-endian number that grows by one from block to block, and wraps. */
function ctr(spec: CipherSpec, key: Uint8Array, data: Uint8Array, ivs: Uint8Array): void {
  const blocksPerUnit = data.length / ivs.length;
  const stream = new Uint8Array(data.length);
  const view = new DataView(stream.buffer);
  const starts = new DataView(ivs.buffer, ivs.byteOffset, ivs.length);
  for (let at = 0; at < stream.length; at += BLOCK_LENGTH) {
    const block = at / BLOCK_LENGTH;
    const unit = Math.floor(block / blocksPerUnit);
    const high = starts.getBigUint64(unit * BLOCK_LENGTH);
    const low = starts.getBigUint64(unit * BLOCK_LENGTH + 8);
    const counter = (high << 64n) + low + BigInt(block % blocksPerUnit);
    view.setBigUint64(at, BigInt.asUintN(64, counter >> 64n));
    view.setBigUint64(at + 8, BigInt.asUintN(64, counter));
  }
  replaceBlocks("encrypt", spec, key, stream);
  xorInto(data, stream);
  wipe(stream);
}

function replaceBlocks(
  direction: "encrypt" | "decrypt",
  spec: CipherSpec,
  key: Uint8Array,
  data: Uint8Array,
): void {
  const result = createBlockTransform(spec.cipher, key, "ecb", direction).update(data);
  data.set(result);
  wipe(result);
}

/** Multiplies by x modulo x^128 + x^7 + x^2 + x + 1; the least significant byte comes first. */
function doubleBlock(bytes: Uint8Array, from: number, to: number): void {
  let carry = bytes[from + 15]! >> 7 === 1 ? 0x87 : 0;
  for (let at = 0; at < BLOCK_LENGTH; at++) {
    const byte = bytes[from + at]!;
    bytes[to + at] = ((byte << 1) & 0xff) ^ carry;
    carry = byte >> 7;
  }
}

function xorBlock(target: Uint8Array, targetAt: number, source: Uint8Array, sourceAt: number): void {
  for (let at = 0; at < BLOCK_LENGTH; at++)
    target[targetAt + at] = target[targetAt + at]! ^ source[sourceAt + at]!;
}

function xorInto(data: Uint8Array, mask: Uint8Array): void {
  for (let at = 0; at < data.length; at++) data[at] = data[at]! ^ mask[at]!;
}
