// Serpent's S-boxes S0 to S7 as Boolean functions of four bits, which stand side by side in four vectors, the lowest bit in `a`. Each formula is a shortest
// one: all were tried. What the four of a box have in common the engine computes once.
import { and, andnot, not, or, xor } from "./logic";

// S0
@inline
export function substitute0w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(andnot(or(a, c), b), andnot(d, and(c, xor(a, b)))));
}
@inline
export function substitute0x(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(and(b, or(c, d)), andnot(a, andnot(c, xor(b, d)))));
}
@inline
export function substitute0y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, andnot(xor(d, andnot(a, c)), andnot(b, c))));
}
@inline
export function substitute0z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(b, xor(c, or(a, d)));
}

// S1
@inline
export function substitute1w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(b, and(or(a, c), or(d, and(b, c))))));
}
@inline
export function substitute1x(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(d, or(and(b, or(a, d)), andnot(c, andnot(a, d))))));
}
@inline
export function substitute1y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(c, xor(d, andnot(b, a))));
}
@inline
export function substitute1z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(d, andnot(xor(b, andnot(a, c)), and(d, xor(a, c))))));
}

// S2
@inline
export function substitute2w(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(b, xor(d, andnot(c, a)));
}
@inline
export function substitute2x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, andnot(xor(c, andnot(d, b)), andnot(xor(b, d), a))));
}
@inline
export function substitute2y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(d, and(xor(b, c), xor(b, andnot(d, a)))));
}
@inline
export function substitute2z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(c, andnot(b, xor(d, and(a, c))))));
}

// S3
@inline
export function substitute3w(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(or(a, andnot(d, c)), andnot(b, andnot(c, d)));
}
@inline
export function substitute3x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(or(b, and(a, d)), and(c, or(a, d))));
}
@inline
export function substitute3y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(xor(d, andnot(b, c)), andnot(b, a))));
}
@inline
export function substitute3z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(andnot(b, andnot(a, c)), or(d, andnot(c, a))));
}

// S4
@inline
export function substitute4w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(c, or(xor(a, b), xor(a, d)))));
}
@inline
export function substitute4x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(or(c, d), xor(b, andnot(a, d)))));
}
@inline
export function substitute4y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, andnot(or(c, andnot(b, a)), andnot(d, and(a, b)))));
}
@inline
export function substitute4z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(d, or(b, xor(c, andnot(d, a)))));
}

// S5
@inline
export function substitute5w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(c, or(xor(a, b), xor(a, d)))));
}
@inline
export function substitute5x(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(b, or(d, xor(c, andnot(b, a))))));
}
@inline
export function substitute5y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(d, or(xor(b, andnot(a, c)), and(d, xor(a, c))))));
}
@inline
export function substitute5z(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(b, xor(c, or(andnot(a, c), xor(d, andnot(a, b))))));
}

// S6
@inline
export function substitute6w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(b, andnot(xor(d, andnot(c, a)), and(b, xor(a, c))))));
}
@inline
export function substitute6x(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(b, xor(c, and(a, d))));
}
@inline
export function substitute6y(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(a, xor(b, andnot(or(c, andnot(b, a)), andnot(d, and(a, b))))));
}
@inline
export function substitute6z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(c, andnot(xor(d, or(a, b)), andnot(c, b))));
}

// S7
@inline
export function substitute7w(a: v128, b: v128, c: v128, d: v128): v128 {
  return not(xor(c, xor(d, andnot(xor(a, andnot(d, c)), xor(a, b)))));
}
@inline
export function substitute7x(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(d, or(xor(b, c), xor(b, andnot(a, d)))));
}
@inline
export function substitute7y(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(a, xor(b, andnot(xor(c, andnot(d, a)), and(b, xor(a, d)))));
}
@inline
export function substitute7z(a: v128, b: v128, c: v128, d: v128): v128 {
  return xor(b, xor(c, andnot(a, xor(d, andnot(c, b)))));
}
