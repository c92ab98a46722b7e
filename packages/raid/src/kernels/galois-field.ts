/**
 * GF(2^8) as RAID6 uses it: bytes as polynomials, modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d), in which 2 generates all
 * but zero. Source: H. P. Anvin, "The mathematics of RAID-6".
 */
const POLYNOMIAL = 0x11d;
/** 2 to this power is 1. */
const ORDER = 255;

/** A byte times 2. */
export function gfDouble(value: number): number {
  return value < 0x80 ? value << 1 : (value << 1) ^ POLYNOMIAL;
}

/** The product of two bytes. */
export function gfMultiply(a: number, b: number): number {
  let product = 0;
  let multiple = a;
  for (let rest = b; rest !== 0; rest >>= 1) {
    if ((rest & 1) !== 0) product ^= multiple;
    multiple = gfDouble(multiple);
  }
  return product;
}

/** A byte to a power from 0 on. */
export function gfPower(value: number, exponent: number): number {
  let power = 1;
  let square = value;
  for (let rest = exponent; rest !== 0; rest >>= 1) {
    if ((rest & 1) !== 0) power = gfMultiply(power, square);
    square = gfMultiply(square, square);
  }
  return power;
}

/** The byte that gives 1 when multiplied by this one, which is not 0. */
export function gfInverse(value: number): number {
  return gfPower(value, ORDER - 1);
}

/** What two lost data sources follow from: X = `q` * (lost part of Q) + `p` * (lost part of P), and Y = (lost part of P) + X. */
export interface PairFactors {
  readonly p: number;
  readonly q: number;
}

/** The factors for sources that count in Q with these two different powers of 2. */
export function pairFactors(exponentX: number, exponentY: number): PairFactors {
  const powerY = gfPower(2, exponentY);
  const q = gfInverse(gfPower(2, exponentX) ^ powerY);
  return { p: gfMultiply(powerY, q), q };
}

/** The factor that turns the lost part of Q into the lost source that counts in it with this power of 2. */
export function singleFactor(exponent: number): number {
  return gfPower(2, ORDER - (exponent % ORDER));
}
