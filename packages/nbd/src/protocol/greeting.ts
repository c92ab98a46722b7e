import {
  CLIENT_FLAGS_LENGTH,
  EXPORT_NAME_REPLY_LENGTH,
  EXPORT_NAME_ZEROES_LENGTH,
  GREETING_LENGTH,
  HandshakeFlag,
  INIT_MAGIC,
  OLDSTYLE_MAGIC,
  OPTION_MAGIC,
} from "./numbers.ts";
import { encodeWide, wideAt } from "./wide.ts";

/** What the first bytes of a server say: the flags it offers, or that it cannot be spoken to. */
export type Greeting =
  | { readonly kind: "newstyle"; readonly flags: number }
  /** A server of before 2011. */
  | { readonly kind: "oldstyle" }
  | { readonly kind: "unknown" };

/** The first bytes of a connection. */
export function encodeGreeting(): Uint8Array {
  const bytes = new Uint8Array(GREETING_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, INIT_MAGIC.high);
  view.setUint32(4, INIT_MAGIC.low);
  view.setUint32(8, OPTION_MAGIC.high);
  view.setUint32(12, OPTION_MAGIC.low);
  view.setUint16(16, HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes);
  return bytes;
}

/** Reads the first bytes of a server. Precondition: `GREETING_LENGTH` bytes are there. */
export function decodeGreeting(view: DataView, at: number): Greeting {
  if (view.getUint32(at) !== INIT_MAGIC.high || view.getUint32(at + 4) !== INIT_MAGIC.low)
    return { kind: "unknown" };
  const high = view.getUint32(at + 8);
  const low = view.getUint32(at + 12);
  if (high === OLDSTYLE_MAGIC.high && low === OLDSTYLE_MAGIC.low) return { kind: "oldstyle" };
  if (high !== OPTION_MAGIC.high || low !== OPTION_MAGIC.low) return { kind: "unknown" };
  return { kind: "newstyle", flags: view.getUint16(at + 16) };
}

/** The client's answer to the greeting. */
export function encodeClientFlags(flags: number): Uint8Array {
  const bytes = new Uint8Array(CLIENT_FLAGS_LENGTH);
  new DataView(bytes.buffer).setUint32(0, flags);
  return bytes;
}

/** The answer to `exportName`, which ends the handshake. */
export function encodeExportNameReply(
  size: number,
  transmissionFlags: number,
  hasZeroes: boolean,
): Uint8Array {
  const bytes = new Uint8Array(EXPORT_NAME_REPLY_LENGTH + (hasZeroes ? EXPORT_NAME_ZEROES_LENGTH : 0));
  const view = new DataView(bytes.buffer);
  encodeWide(view, 0, size);
  view.setUint16(8, transmissionFlags);
  return bytes;
}

/** Reads the answer to `exportName`. Precondition: `EXPORT_NAME_REPLY_LENGTH` bytes are there; zeroes may follow. */
export function decodeExportNameReply(
  view: DataView,
  at: number,
): { readonly size: number; readonly flags: number } {
  return { size: wideAt(view, at), flags: view.getUint16(at + 8) };
}
