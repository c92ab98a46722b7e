import { contentOf, putContent } from "../reference.ts";
import type { Shape } from "../shape.ts";
import { bitmapOf, dmSuperblock, superblock0, superblock1 } from "./metadata.ts";
import type { MemberFacts } from "./metadata.ts";

/** Where the parts of a member lie, in bytes of its device. */
export interface MemberPlaces {
  readonly size: number;
  readonly superOffset: number;
  readonly dataOffset: number;
  /** 0: there is none. */
  readonly bitmapOffset: number;
  /** Of the log of bad blocks; 0: there is none. */
  readonly badBlockOffset: number;
}

const AT_START = 16_384;

/** Where the parts of each member of an array lie. */
export function placesOfMember(shape: Shape): MemberPlaces {
  const { version, bitmapChunkSize, hasBadBlockLog } = shape;
  const memberSize = shape.memberSize + shape.roomSize;
  const hasBitmap = bitmapChunkSize !== 0;
  if (version === "0.90") {
    // The last whole 64 KiB but one, and 4 KiB on in it the bitmap.
    const superOffset = Math.ceil(memberSize / 65_536) * 65_536;
    return {
      size: superOffset + 65_536,
      superOffset,
      dataOffset: 0,
      bitmapOffset: hasBitmap ? superOffset + 4096 : 0,
      badBlockOffset: 0,
    };
  }
  if (version === "1.0") {
    const superOffset = memberSize + 8192;
    return {
      size: superOffset + 8192,
      superOffset,
      dataOffset: 0,
      bitmapOffset: hasBitmap ? superOffset - 4096 : 0,
      badBlockOffset: hasBadBlockLog ? superOffset - 8192 : 0,
    };
  }
  if (version === "dm-raid")
    return {
      size: AT_START + memberSize,
      superOffset: 0,
      dataOffset: AT_START,
      bitmapOffset: 4096,
      badBlockOffset: 0,
    };
  const superOffset = version === "1.1" ? 0 : 4096;
  return {
    size: AT_START + memberSize + 4096,
    superOffset,
    dataOffset: AT_START,
    bitmapOffset: hasBitmap ? superOffset + 4096 : 0,
    badBlockOffset: hasBadBlockLog ? superOffset + 8192 : 0,
  };
}

/** The part of a device that is the array's. */
export function dataOf(shape: Shape, image: Uint8Array): Uint8Array {
  const { dataOffset } = placesOfMember(shape);
  return image.subarray(dataOffset, dataOffset + shape.memberSize);
}

/** Devices of a new array that is clean and holds `content`. */
export function makeImages(shape: Shape, content: Uint8Array, eventCount = 17n): Uint8Array[] {
  const roles = Array.from({ length: shape.memberCount }, (_, role) => role);
  const images = roles.map((deviceNumber) =>
    makeImage({ shape, deviceNumber, roles, eventCount, resyncPosition: null }),
  );
  putContent(
    shape,
    images.map((image) => dataOf(shape, image)),
    content,
  );
  return images;
}

/** A device with metadata and no data. */
export function makeImage(facts: MemberFacts): Uint8Array {
  const { shape } = facts;
  const { size, superOffset, bitmapOffset, badBlockOffset } = placesOfMember(shape);
  const image = new Uint8Array(size);
  image.set(superblockOf(facts), superOffset);
  // A log without entries; one with an end mark at once, that is.
  if (badBlockOffset !== 0) image.fill(0xff, badBlockOffset, badBlockOffset + 4096);
  if (bitmapOffset !== 0) image.set(bitmapOf(facts), bitmapOffset);
  return image;
}

function superblockOf(facts: MemberFacts): Uint8Array {
  switch (facts.shape.version) {
    case "0.90":
      return superblock0(facts);
    case "dm-raid":
      return dmSuperblock(facts);
    default:
      return superblock1(facts, placesOfMember(facts.shape));
  }
}

/** What the devices say the array holds, by the slow reference. `copy`: of several, the one to read. */
export function contentOfImages(shape: Shape, images: readonly Uint8Array[], copy = 0): Uint8Array {
  return contentOf(
    shape,
    images.map((image) => dataOf(shape, image)),
    copy,
  );
}
