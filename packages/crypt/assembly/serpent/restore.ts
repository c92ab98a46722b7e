// The inverses of Serpent's S-boxes S0 to S7 as Boolean functions of four bits, which stand side by side in four vectors, the lowest bit in `a`. Each formula is a shortest
// one: all were tried. What the four of a box have in common the engine computes once.
import { and, andnot, not, or, xor } from "./logic";

// S0
@inline
export function restore0w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(d, andnot(or(d, xor(a, c)), xor(b, and(a, c))))));
}
@inline
export function restore0x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, or(andnot(c, a), and(d, or(b, c)))));
}
@inline
export function restore0y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(c, xor(d, or(a, b))));
}
@inline
export function restore0z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(d, and(or(b, andnot(d, a)), or(c, and(a, d))))));
}

// S1
@inline
export function restore1w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(andnot(a, and(c, d)), andnot(b, andnot(xor(a, d), c))));
}
@inline
export function restore1x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(or(a, andnot(c, b)), or(d, andnot(xor(a, b), c)));
}
@inline
export function restore1y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(b, or(and(a, c), xor(d, and(b, c))))));
}
@inline
export function restore1z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(d, b)));
}

// S2
@inline
export function restore2w(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(b, xor(c, d))));
}
@inline
export function restore2x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(or(b, andnot(a, d)), andnot(c, andnot(d, a))));
}
@inline
export function restore2y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(andnot(or(a, d), b), andnot(c, and(a, d))));
}
@inline
export function restore2z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(and(b, or(a, c)), andnot(d, and(a, c))));
}

// S3
@inline
export function restore3w(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(b, xor(c, or(d, xor(a, andnot(b, c)))));
}
@inline
export function restore3x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(xor(b, or(a, d)), andnot(c, xor(a, d)))));
}
@inline
export function restore3y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(d, andnot(xor(b, or(a, d)), xor(b, c))));
}
@inline
export function restore3z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, and(xor(c, d), xor(c, andnot(a, b)))));
}

// S4
@inline
export function restore4w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(b, or(andnot(d, a), xor(c, and(b, d))))));
}
@inline
export function restore4x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(c, xor(d, and(a, xor(b, or(c, d)))));
}
@inline
export function restore4y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(andnot(c, andnot(a, b)), or(d, andnot(b, a)))));
}
@inline
export function restore4z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, andnot(xor(c, andnot(a, b)), d)));
}

// S5
@inline
export function restore5w(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(d, and(b, xor(c, and(a, d)))));
}
@inline
export function restore5x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(xor(d, or(b, c)), andnot(a, b))));
}
@inline
export function restore5y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(and(b, or(a, d)), andnot(c, and(a, d))));
}
@inline
export function restore5z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(b, xor(c, and(a, xor(d, andnot(b, c))))));
}

// S6
@inline
export function restore6w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(andnot(a, andnot(c, b)), or(d, and(b, xor(a, c)))));
}
@inline
export function restore6x(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(b, xor(d, andnot(c, a))));
}
@inline
export function restore6y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(c, or(and(a, b), andnot(or(b, c), d)))));
}
@inline
export function restore6z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(or(c, andnot(b, a)), andnot(d, andnot(xor(a, c), b))));
}

// S7
@inline
export function restore7w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(c, or(and(a, b), andnot(or(b, c), d)))));
}
@inline
export function restore7x(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(d, and(or(c, d), xor(b, or(a, c))))));
}
@inline
export function restore7y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(or(b, and(a, d)), andnot(or(a, d), c)));
}
@inline
export function restore7z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(or(c, and(a, b)), and(d, or(a, b)));
}
