import { EXPORT_NAME_ZEROES_LENGTH, InfoType, OptionReply } from "../protocol/numbers.ts";
import type { OptionAnswer } from "./haggling.ts";
import { demand, demandEqual } from "./violation.ts";

/** Size constraints, in bytes. */
export interface BlockSizeFacts {
  readonly minimum: number;
  readonly preferred: number;
  readonly payloadMax: number;
}

/** What a server tells of an export. */
export interface ExportFacts {
  /** Bytes. */
  readonly size: bigint;
  readonly flags: number;
  readonly blockSizes: BlockSizeFacts | null;
  readonly name: Buffer | null;
  readonly description: Buffer | null;
}

/** Reads the answer to INFO or GO. */
export function decodeInfoAnswer({ replies }: OptionAnswer): ExportFacts {
  let facts: { size: bigint; flags: number } | null = null;
  let blockSizes: BlockSizeFacts | null = null;
  let name: Buffer | null = null;
  let description: Buffer | null = null;
  for (const { type, data } of replies) {
    demandEqual(type, OptionReply.info, "the type of a reply to info or go");
    demand(data.length >= 2, `an info reply has ${data.length} bytes, too few for its type`);
    switch (data.readUInt16BE(0)) {
      case InfoType.export:
        demandEqual(data.length, 12, "the length of the export info");
        facts = { size: data.readBigUInt64BE(2), flags: data.readUInt16BE(10) };
        break;
      case InfoType.name:
        name = data.subarray(2);
        break;
      case InfoType.description:
        description = data.subarray(2);
        break;
      case InfoType.blockSize:
        demandEqual(data.length, 14, "the length of the block size info");
        blockSizes = {
          minimum: data.readUInt32BE(2),
          preferred: data.readUInt32BE(6),
          payloadMax: data.readUInt32BE(10),
        };
        break;
      default:
        // Information that this suite has not heard of is the server's to send.
        break;
    }
  }
  demand(facts !== null, "no info about the export came before the ack");
  return { ...facts, blockSizes, name, description };
}

/** Reads the answer to EXPORT_NAME. */
export function decodeExportName(bytes: Buffer): { readonly size: bigint; readonly flags: number } {
  return { size: bytes.readBigUInt64BE(0), flags: bytes.readUInt16BE(8) };
}

/** Bytes of the answer to EXPORT_NAME. */
export function exportNameLength(hasZeroes: boolean): number {
  return 10 + (hasZeroes ? EXPORT_NAME_ZEROES_LENGTH : 0);
}
