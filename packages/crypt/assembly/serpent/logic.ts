// Short names for what Serpent is made of.

@inline
export function xor(left: v128, right: v128): v128 {
  return v128.xor(left, right);
}

@inline
export function and(left: v128, right: v128): v128 {
  return v128.and(left, right);
}

@inline
export function or(left: v128, right: v128): v128 {
  return v128.or(left, right);
}

/** left AND NOT right. */
@inline
export function andnot(left: v128, right: v128): v128 {
  return v128.andnot(left, right);
}

@inline
export function not(value: v128): v128 {
  return v128.not(value);
}

/** Each 32-bit word turned left. */
@inline
export function rotate(value: v128, count: i32): v128 {
  return v128.or(i32x4.shl(value, count), i32x4.shr_u(value, 32 - count));
}

@inline
export function xor3(first: v128, second: v128, third: v128): v128 {
  return v128.xor(v128.xor(first, second), third);
}
