import type { HeaderDevice } from "../header/header-device.ts";
import { encodeLuks2Header } from "./header.ts";
import type { Luks2Header } from "./header.ts";

/** What both header copies share. */
export type CommonHeader = Omit<Luks2Header, "isPrimary" | "headerOffset" | "salt" | "checksum">;

/** Which of the two copies. */
export type CopyName = "primary" | "secondary";

/**
 * Writes both header copies, each whole, with a salt of its own, and flushed before the next: at every moment one of them is whole,
 * as long as `first` is not the only one that was before.
 */
export async function writeCopies(
  device: HeaderDevice,
  header: CommonHeader,
  json: string,
  first: CopyName,
): Promise<void> {
  await writeCopy(device, header, json, first);
  await writeCopy(device, header, json, first === "primary" ? "secondary" : "primary");
}

/** Writes one header copy with a salt of its own, and flushes it. The area behind the JSON text becomes zero. */
export async function writeCopy(
  device: HeaderDevice,
  header: CommonHeader,
  json: string,
  name: CopyName,
): Promise<void> {
  const salt = new Uint8Array(64);
  device.random(salt);
  const isPrimary = name === "primary";
  const headerOffset = isPrimary ? 0 : header.headerSize;
  const copy = { ...header, isPrimary, headerOffset, salt, checksum: new Uint8Array(0) };
  await device.writeDurably(headerOffset, encodeLuks2Header(copy, json));
}
