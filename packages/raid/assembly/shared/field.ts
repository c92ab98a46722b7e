/**
 * Where in a kernel's tables these stand, behind the products of two factors: V8 makes a constant anew at each use, but
 * keeps in a register what comes from memory, which makes a third of the speed.
 */
export const ZEROS = 64;
export const POLYNOMIALS = 80;
export const NIBBLES = 96;

/** Each byte times 2 in GF(2^8) with the polynomial 0x11d: the carry is the sign of the byte. */
@inline
export function double(value: v128, zero: v128, polynomial: v128): v128 {
  return v128.xor(i8x16.add(value, value), v128.and(i8x16.gt_s(zero, value), polynomial));
}

/** Each byte times a factor, whose products with all low and all high halves of a byte are given. */
@inline
export function multiply(value: v128, low: v128, high: v128, nibble: v128): v128 {
  const below = i8x16.swizzle(low, v128.and(value, nibble));
  const above = i8x16.swizzle(high, v128.and(i16x8.shr_u(value, 4), nibble));
  return v128.xor(below, above);
}
