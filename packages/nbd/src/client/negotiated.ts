import { CevError, checkLimits } from "@cev/core";
import type { Limits, Support } from "@cev/core";
import type { BlockSizes } from "../protocol/option-info.ts";
import { PAYLOAD_LENGTH_PORTABLE, TransmissionFlag } from "../protocol/numbers.ts";
import type { HeaderStyle } from "../protocol/numbers.ts";

/** What a handshake agreed upon. */
export interface Negotiated {
  /** Bytes. */
  readonly size: number;
  /** `TransmissionFlag`s, or-ed. */
  readonly flags: number;
  readonly style: HeaderStyle;
  /** Null: the server told none. */
  readonly sizes: BlockSizes | null;
  /** For people; null: not told. */
  readonly description: string | null;
  /** The number of `base:allocation` on this connection; null: it was not agreed upon. */
  readonly allocationId: number | null;
  readonly isTls: boolean;
}

const SECTOR = 512;
const PREFERRED = 4096;

export function hasFlag({ flags }: Pick<Negotiated, "flags">, flag: number): boolean {
  return (flags & flag) !== 0;
}

/** The limits of a device over such a connection; no request is longer than `lengthMax`. Throws where they make no sense. */
export function limitsOf({ size, sizes }: Negotiated, lengthMax: number, source: string): Limits {
  if (!Number.isSafeInteger(size)) {
    throw new CevError("CEV_NOT_SUPPORTED", "the export is larger than 8 PiB", { source });
  }
  const minimum = sizes?.minimum ?? 1;
  // Layers above think in sectors at least, where the size lets them.
  const logicalBlockSize = size % SECTOR === 0 ? Math.max(minimum, SECTOR) : minimum;
  const preferred = sizes?.preferred ?? PREFERRED;
  const payloadMax = Math.min(
    sizes?.payloadMax ?? PAYLOAD_LENGTH_PORTABLE,
    PAYLOAD_LENGTH_PORTABLE,
    lengthMax,
  );
  const ioLengthMax = payloadMax - (payloadMax % logicalBlockSize);
  // Some tell the length of a whole export, and layers above take memory for what is preferred.
  const wished = Math.min(preferred, ioLengthMax);
  const isUsual = preferred >= logicalBlockSize && isPowerOfTwo(preferred);
  const physicalBlockSize = isUsual ? Math.min(preferred, 65_536) : logicalBlockSize;
  try {
    return checkLimits({
      size: size - (size % logicalBlockSize),
      logicalBlockSize,
      physicalBlockSize: Math.max(physicalBlockSize, logicalBlockSize),
      ioLengthMax,
      ioLengthPreferred: Math.max(wished - (wished % logicalBlockSize), logicalBlockSize),
      discardGranularity: Math.max(physicalBlockSize, logicalBlockSize),
    });
  } catch (cause) {
    const message = "the server's block sizes make no sense";
    throw new CevError("CEV_PROTOCOL", message, { source, cause });
  }
}

/** What the export offers. */
export function supportOf(negotiated: Negotiated, isReadOnly: boolean): Support {
  const isWritable = !isReadOnly && !hasFlag(negotiated, TransmissionFlag.readOnly);
  const level = (flag: number): "native" | "none" =>
    isWritable && hasFlag(negotiated, flag) ? "native" : "none";
  return {
    read: "native",
    write: isWritable ? "native" : "none",
    flush: level(TransmissionFlag.sendFlush),
    discard: level(TransmissionFlag.sendTrim),
    writeZeroes: level(TransmissionFlag.sendWriteZeroes),
    fua: level(TransmissionFlag.sendFua),
  };
}

const NEEDED =
  TransmissionFlag.sendFlush |
  TransmissionFlag.sendFua |
  TransmissionFlag.sendTrim |
  TransmissionFlag.sendWriteZeroes |
  TransmissionFlag.sendFastZero |
  TransmissionFlag.canMultiConn;

/** Why what came back, or a further connection, cannot be what `before` was; null: it can. */
export function differenceOf(before: Negotiated, after: Negotiated, limits: Limits): string | null {
  if (after.size !== before.size) return `it has ${after.size} bytes, and had ${before.size}`;
  if ((after.flags & TransmissionFlag.readOnly) !== (before.flags & TransmissionFlag.readOnly))
    return hasFlag(after, TransmissionFlag.readOnly) ? "it is read-only now" : "it was read-only";
  if ((before.flags & ~after.flags & NEEDED) !== 0) return "it offers less than before";
  const { minimum = 1, payloadMax = PAYLOAD_LENGTH_PORTABLE } = after.sizes ?? {};
  if (limits.logicalBlockSize % minimum !== 0) return `it takes blocks of ${minimum} bytes alone`;
  if (payloadMax < limits.ioLengthMax) return `it takes no more than ${payloadMax} bytes at a time`;
  return null;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}
