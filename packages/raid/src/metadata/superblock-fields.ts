import { MetadataError } from "@cev/core";
import { fieldPlace } from "./superblock-field-places.ts";
import type { SuperblockField } from "./superblock-field-places.ts";
import type { SuperblockPlace, MetadataVersion, Timestamp } from "./superblock-model.ts";

/** What errors about the structure call it. */
export function superblockStructure(version: MetadataVersion): string {
  return version === "dm-raid" ? "dm-raid superblock" : "md superblock";
}

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

  int16(at: number): number {
    return this.#view.getInt16(at, true);
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
  sectors(field: SuperblockField): number {
    const sectors = this.uint64(fieldPlace(this.place.version, field).at);
    this.check(
      sectors <= BigInt(Number.MAX_SAFE_INTEGER) / 512n,
      field,
      `${sectors} sectors are out of range`,
    );
    return Number(sectors);
  }

  timestamp(at: number): Timestamp {
    const stamp = this.uint64(at);
    return { seconds: Number(stamp & 0xff_ffff_ffffn), microseconds: Number(stamp >> 40n) };
  }

  /** Throws `CEV_BAD_METADATA` unless the condition holds. `index`: of the entry, where the field is a table. */
  check(condition: boolean, field: SuperblockField, message: string, index = 0): void {
    if (!condition) throw fieldError(this.place, field, message, "CEV_BAD_METADATA", index);
  }

  /** Throws `CEV_UNKNOWN_FEATURE`. */
  refuse(field: SuperblockField, message: string): never {
    throw fieldError(this.place, field, message, "CEV_UNKNOWN_FEATURE");
  }
}

/** What is wrong with a field of a superblock, in the words and at the place of its version. */
export function fieldError(
  { source, version, byteOffset }: Omit<SuperblockPlace, "deviceSize">,
  field: SuperblockField,
  message: string,
  code: "CEV_BAD_METADATA" | "CEV_UNKNOWN_FEATURE",
  index = 0,
): MetadataError {
  const { name, at, step } = fieldPlace(version, field);
  return new MetadataError(
    message,
    {
      source,
      structure: superblockStructure(version),
      field: name,
      byteOffset: byteOffset + at + step * index,
    },
    code,
  );
}
