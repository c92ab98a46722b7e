import type { Environment } from "@cev/core";

/** A UUID of version 4 (RFC 9562). */
export function randomUuid(environment: Environment): string {
  const bytes = new Uint8Array(16);
  environment.random(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
