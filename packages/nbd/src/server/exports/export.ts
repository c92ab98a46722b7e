import { CevError } from "@cev/core";
import type { Device } from "@cev/core";
import { HeaderStyle, PAYLOAD_LENGTH_PORTABLE, TransmissionFlag } from "../../protocol/numbers.ts";
import { DenseMap } from "../transmission/dense-map.ts";
import { WriteFence } from "../transmission/write-fence.ts";
import type { BlockSizes } from "../../protocol/option-info.ts";
import { encodeString } from "../../protocol/strings.ts";

/** A device that clients can choose by name. */
export interface ExportOptions {
  /** Up to 4096 bytes of UTF-8. The empty name is what clients ask for that give none. */
  readonly name: string;
  /** For people; shown in lists. */
  readonly description?: string;
  /** Not closed by the server. */
  readonly device: Device;
  /** Refuse to write, also where the device could. */
  readonly isReadOnly?: boolean;
  /** Clients that do not speak TLS are not shown it, and cannot choose it. */
  readonly isTlsOnly?: boolean;
  /** Tell clients that nearby bytes are faster to reach than distant ones. */
  readonly isRotational?: boolean;
}

const BLOCK_SIZE_MAX = 65_536;
const PREFERRED_DEFAULT = 4096;
const PREFERRED_MIN = 512;

/** One export: what it offers, and in which sizes. */
export class Export {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly descriptionBytes: Uint8Array;
  readonly device: Device;
  readonly isReadOnly: boolean;
  readonly isTlsOnly: boolean;
  readonly isRotational: boolean;
  readonly blockSizes: BlockSizes;
  /** Offsets and lengths of zeroes that are to be fast have to be multiples of it. */
  readonly fastZeroAlignment: number;
  /** Where it need not be asked for holes. */
  readonly dense: DenseMap;
  /** Keeps overlapping writes of its clients apart: the device's, which other exports may show, too. */
  readonly fence: WriteFence;

  constructor(
    options: ExportOptions,
    payloadLengthMax: number = PAYLOAD_LENGTH_PORTABLE,
    fence: WriteFence = new WriteFence(options.device),
  ) {
    this.name = options.name;
    this.nameBytes = encodeString(options.name, "the name of an export");
    this.descriptionBytes = encodeString(
      options.description ?? "",
      `the description of export "${options.name}"`,
    );
    this.device = options.device;
    this.isReadOnly =
      options.isReadOnly === true || options.device.isReadOnly || options.device.support.write === "none";
    this.isTlsOnly = options.isTlsOnly === true;
    this.isRotational = options.isRotational === true;
    this.blockSizes = blockSizesOf(options.device, payloadLengthMax);
    this.dense = new DenseMap(options.device.size);
    this.fence = fence;
    this.fastZeroAlignment = options.device.layer.limits.logicalBlockSize;
  }

  /** The transmission flags. Fragments can only be ruled out where there are chunks. */
  flags(style: HeaderStyle, hasContexts: boolean): number {
    const { support } = this.device;
    // One device serves all connections, so what one of them flushes is flushed for all.
    let flags = TransmissionFlag.hasFlags | TransmissionFlag.canMultiConn | TransmissionFlag.sendCache;
    if (style !== HeaderStyle.simple) flags |= TransmissionFlag.sendDf;
    if (style === HeaderStyle.extended && hasContexts) flags |= TransmissionFlag.blockStatusPayload;
    if (this.isRotational) flags |= TransmissionFlag.rotational;
    if (support.flush !== "none") flags |= TransmissionFlag.sendFlush;
    if (support.fua !== "none") flags |= TransmissionFlag.sendFua;
    if (this.isReadOnly) return flags | TransmissionFlag.readOnly;
    if (support.discard !== "none") flags |= TransmissionFlag.sendTrim;
    if (support.writeZeroes !== "none")
      flags |= TransmissionFlag.sendWriteZeroes | TransmissionFlag.sendFastZero;
    return flags;
  }
}

function blockSizesOf(device: Device, wantedMax: number): BlockSizes {
  const { logicalBlockSize: minimum, physicalBlockSize, ioLengthPreferred } = device.limits;
  if (minimum > BLOCK_SIZE_MAX) {
    throw new CevError("CEV_INVALID", `the protocol has blocks of at most ${BLOCK_SIZE_MAX} bytes`, {
      source: device.name,
      hint: "open the device with a smaller blockSize",
    });
  }
  // The longest payload is a multiple of the smallest block, and one at least.
  const payloadMax = Math.max(minimum, wantedMax - (wantedMax % minimum));
  // A power of two is wanted: of a full stripe over three members, one member's share.
  const share = largestPowerOfTwoIn(ioLengthPreferred);
  const preferred = Math.max(minimum, PREFERRED_MIN, Math.min(physicalBlockSize, powerOfTwoUpTo(payloadMax)));
  return {
    minimum,
    preferred: Math.max(
      preferred,
      share <= payloadMax ? share : Math.min(PREFERRED_DEFAULT, powerOfTwoUpTo(payloadMax)),
    ),
    payloadMax,
  };
}

function powerOfTwoUpTo(value: number): number {
  return 2 ** Math.floor(Math.log2(value));
}

function largestPowerOfTwoIn(value: number): number {
  let power = 1;
  while (power < BLOCK_SIZE_MAX * BLOCK_SIZE_MAX && value % (power * 2) === 0 && value > 0) power *= 2;
  return power;
}
