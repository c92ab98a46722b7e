import { MetadataError } from "@cev/core";
import { checkGeometry } from "./superblock-geometry.ts";
import type { Superblock, SuperblockPlace, Timestamp } from "./superblock.ts";

/** What errors about the structure call it. */
export const SUPERBLOCK_STRUCTURE = "md superblock";

/** Reads the fields of a superblock; whatever is wrong becomes an error that says where. */
export class SuperblockFields {
  readonly place: SuperblockPlace;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, place: SuperblockPlace) {
    this.place = place;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  uint32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  int32(at: number): number {
    return this.#view.getInt32(at, true);
  }

  uint64(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }

  /** A 64-bit number of sectors, which as bytes is still a safe integer. */
  sectors(field: string, at: number): number {
    const sectors = this.uint64(at);
    this.check(
      sectors <= BigInt(Number.MAX_SAFE_INTEGER) / 512n,
      field,
      at,
      `${sectors} sectors are out of range`,
    );
    return Number(sectors);
  }

  timestamp(at: number): Timestamp {
    const stamp = this.uint64(at);
    return { seconds: Number(stamp & 0xff_ffff_ffffn), microseconds: Number(stamp >> 40n) };
  }

  /** Throws `CEV_BAD_METADATA` unless the condition holds. */
  check(condition: boolean, field: string, at: number, message: string): void {
    if (!condition) throw this.#error(field, at, message, "CEV_BAD_METADATA");
  }

  /** Throws `CEV_UNKNOWN_FEATURE`. */
  refuse(field: string, at: number, message: string): never {
    throw this.#error(field, at, message, "CEV_UNKNOWN_FEATURE");
  }

  /** Throws where sizes and places contradict one another or the device. */
  checkGeometry(superblock: Superblock): void {
    checkGeometry(superblock, this);
  }

  #error(
    field: string,
    at: number,
    message: string,
    code: "CEV_BAD_METADATA" | "CEV_UNKNOWN_FEATURE",
  ): MetadataError {
    const { source, byteOffset } = this.place;
    return new MetadataError(
      message,
      { source, structure: SUPERBLOCK_STRUCTURE, field, byteOffset: byteOffset + at },
      code,
    );
  }
}
