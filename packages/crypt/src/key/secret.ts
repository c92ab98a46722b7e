import { timingSafeEqual } from "node:crypto";

/** Overwrites key material. Copies that the engine made on its own (when it moved or grew something) are out of reach. */
export function wipe(...secrets: readonly (Uint8Array | null | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/** Compares in a time that does not tell where they differ. */
export function isEqualSecret(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
