import { arraySizeOf } from "../reference.ts";
import { isVolume } from "../shape.ts";
import type { Shape } from "../shape.ts";

/** What the superblock of one member says, for those that a test makes by hand. Sizes and places in bytes. */
export interface MemberFacts {
  readonly shape: Shape;
  /** Its place in the table of devices. */
  readonly deviceNumber: number;
  /** By device number: the member index, 0xffff for a spare, 0xfffe for a failed one. */
  readonly roles: readonly number[];
  readonly eventCount: bigint;
  /** How far the members are known to agree; null: everywhere. */
  readonly resyncPosition: number | null;
}

/** 16 bytes that all members share. */
export const ARRAY_UUID = Uint8Array.from({ length: 16 }, (_, index) => 0xc0 + index);
export const SECTOR = 512;
const CREATED_AT = 1_700_000_000;

/** Bytes of sync space: what bits of the bitmap count. */
export function syncSizeOf({ level, layout, chunkSize, memberSize, memberCount }: Shape): number {
  if (level !== 10) return memberSize;
  const near = layout & 0xff;
  const far = (layout >> 8) & 0xff;
  const chunks = Math.floor(Math.floor(memberSize / chunkSize) / far);
  return Math.floor((chunks * memberCount) / near) * chunkSize;
}

/** Where the parts of a member lie, in bytes of its device; 0 for what it does not have. */
export interface PartPlaces {
  readonly superOffset: number;
  readonly dataOffset: number;
  readonly bitmapOffset: number;
  readonly badBlockOffset: number;
}

/** A block of 4 KiB with a superblock of version 1, as md lays it out. */
export function superblock1(facts: MemberFacts, where: PartPlaces): Uint8Array {
  const { shape, roles, deviceNumber } = facts;
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  const sectors = (at: number, value: number): void => view.setBigUint64(at, BigInt(value / SECTOR), true);
  const isAlternate = shape.level === 0;
  view.setUint32(0, 0xa92b4efc, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, (shape.bitmapChunkSize === 0 ? 0 : 1) | (isAlternate ? 0x1000 : 0), true);
  bytes.set(ARRAY_UUID, 16);
  bytes.set(new TextEncoder().encode("host:crash"), 32);
  view.setBigUint64(64, BigInt(CREATED_AT), true);
  view.setInt32(72, shape.level, true);
  view.setUint32(76, isAlternate ? 2 : shape.level === -1 ? 0xffff_ffff : shape.layout, true);
  sectors(80, shape.level > 0 ? shape.memberSize : 0);
  view.setUint32(88, shape.chunkSize / SECTOR, true);
  view.setUint32(92, shape.memberCount, true);
  if (shape.bitmapChunkSize !== 0) view.setInt32(96, (where.bitmapOffset - where.superOffset) / SECTOR, true);
  sectors(128, where.dataOffset);
  sectors(136, shape.memberSize + shape.roomSize);
  sectors(144, where.superOffset);
  view.setUint32(160, deviceNumber, true);
  bytes.set(deviceUuid(deviceNumber), 168);
  if (shape.hasBadBlockLog) {
    view.setUint16(186, 8, true);
    view.setInt32(188, (where.badBlockOffset - where.superOffset) / SECTOR, true);
  }
  view.setBigUint64(192, BigInt(CREATED_AT + 100), true);
  view.setBigUint64(200, facts.eventCount, true);
  view.setBigUint64(
    208,
    facts.resyncPosition === null ? 2n ** 64n - 1n : BigInt(facts.resyncPosition / SECTOR),
    true,
  );
  view.setUint32(220, roles.length, true);
  roles.forEach((role, index) => view.setUint16(256 + 2 * index, role, true));
  sealSuperblock1(bytes);
  return bytes;
}

/** Makes the checksum of a version 1 superblock right, whatever else is in it. */
export function sealSuperblock1(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = 256 + 2 * view.getUint32(220, true);
  if (length > bytes.length) return;
  view.setUint32(216, 0, true);
  let sum = 0;
  for (let at = 0; at + 4 <= length; at += 4) sum += view.getUint32(at, true);
  if (length % 4 === 2) sum += view.getUint16(length - 2, true);
  view.setUint32(216, foldSum(sum), true);
}

/** A superblock of version 0.90, as md lays it out. */
export function superblock0(facts: MemberFacts): Uint8Array {
  const { shape, roles, deviceNumber } = facts;
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  const words = (at: number, ...values: readonly number[]): void =>
    values.forEach((value, index) => view.setUint32(at + 4 * index, value, true));
  const uuid = new DataView(ARRAY_UUID.buffer);
  const active = roles.filter((role) => role < 0xff00).length;
  words(0, 0xa92b4efc, 0, 90, 0, 0, uuid.getUint32(0, true), CREATED_AT, shape.level);
  words(32, shape.memberSize / 1024, roles.length, shape.memberCount, 0, 0);
  words(52, uuid.getUint32(4, true), uuid.getUint32(8, true), uuid.getUint32(12, true));
  words(
    128,
    CREATED_AT + 100,
    (facts.resyncPosition === null ? 1 : 0) | (shape.bitmapChunkSize === 0 ? 0 : 0x100),
  );
  words(136, active, roles.length, 0, roles.length - active);
  const events = [Number(facts.eventCount & 0xffff_ffffn), Number(facts.eventCount >> 32n)];
  words(156, ...events, ...(facts.resyncPosition === null ? events : [0, 0]));
  words(172, facts.resyncPosition === null ? 0xffff_ffff : facts.resyncPosition / SECTOR);
  words(256, shape.level === 0 ? 0 : shape.layout, shape.chunkSize);
  roles.forEach((role, number) => {
    const isActive = role < 0xff00;
    words(
      512 + 128 * number,
      number,
      8,
      16 * (number + 1),
      isActive ? role : number,
      isActive ? 6 : role === 0xfffe ? 1 : 0,
    );
  });
  bytes.copyWithin(3968, 512 + 128 * deviceNumber, 640 + 128 * deviceNumber);
  sealSuperblock0(bytes);
  return bytes;
}

/** Makes the checksum of a version 0.90 superblock right, whatever else is in it. */
export function sealSuperblock0(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(152, 0, true);
  let sum = 0;
  for (let at = 0; at < 4096; at += 4) sum += view.getUint32(at, true);
  view.setUint32(152, foldSum(sum), true);
}

/** The superblock of a member of an LVM volume that is whole and clean, as dm-raid lays it out. */
export function dmSuperblock({ shape, deviceNumber, eventCount }: MemberFacts): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  const words = (at: number, ...values: readonly number[]): void =>
    values.forEach((value, index) => view.setUint32(at + 4 * index, value, true));
  const all = 0xffff_ffff;
  const geometry = [shape.level, shape.layout, shape.chunkSize / SECTOR];
  words(0, 0x64526d44, 1, shape.memberCount, deviceNumber);
  view.setBigUint64(16, eventCount, true);
  words(32, all, all, all, all, ...geometry, 0, all, all, ...geometry, 0);
  words(88, arraySizeOf(shape) / SECTOR);
  words(112, shape.memberSize / SECTOR);
  return bytes;
}

/** A write-intent bitmap with its bits, all clear, filled up to whole blocks of 4 KiB. */
export function bitmapOf({ shape, eventCount }: MemberFacts): Uint8Array {
  const bitCount = Math.ceil(syncSizeOf(shape) / shape.bitmapChunkSize);
  const bytes = new Uint8Array(4096 * Math.ceil((256 + bitCount / 8) / 4096));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x6d746962, true);
  view.setUint32(4, 4, true);
  if (!isVolume(shape)) bytes.set(ARRAY_UUID, 8);
  view.setBigUint64(24, eventCount, true);
  view.setBigUint64(32, eventCount, true);
  view.setBigUint64(40, BigInt(syncSizeOf(shape) / SECTOR), true);
  view.setUint32(52, shape.bitmapChunkSize, true);
  view.setUint32(56, 5, true);
  view.setUint32(64, 8, true);
  return bytes;
}

function deviceUuid(deviceNumber: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, index) => deviceNumber * 16 + index);
}

function foldSum(sum: number): number {
  return ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) % 2 ** 32;
}
