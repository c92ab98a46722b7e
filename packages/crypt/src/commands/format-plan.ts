import { CevError } from "@cev/core";
import type { Limits } from "@cev/core";
import { keySizesOf, parseCipher } from "../cipher/cipher-spec.ts";
import type { KeyslotPlace } from "../header/editor.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import type { NewLuksVolume } from "../header/new-volume.ts";
import { hashLength } from "../key/hash.ts";
import { formatLuks1, splitEncryption } from "../luks1/format.ts";
import { planLuks1Layout, placeLuks1Keyslots } from "../luks1/layout.ts";
import { formatLuks2 } from "../luks2/format.ts";
import { planLuks2Layout, placeLuks2Keyslots } from "../luks2/layout.ts";
import { invalid } from "./command.ts";
import type { FormatShape } from "./format-options.ts";
import { keyslotEncryptionFor } from "./keyslot-encryption.ts";

/** A new LUKS device, decided and checked before anything is derived or written. Sizes and offsets are bytes. */
export interface FormatPlan {
  readonly version: 1 | 2;
  readonly encryption: string;
  readonly keySize: number;
  readonly hash: string;
  readonly sectorSize: number;
  readonly label: string;
  readonly subsystem: string;
  readonly keyslotEncryption: string;
  readonly keyslotKeySize: number;
  readonly dataOffset: number;
  /** The area for keyslots: from here to `headerLength`. */
  readonly keyslotsOffset: number;
  readonly headerLength: number;
  readonly places: readonly KeyslotPlace[];
  /** Writes the header and what its keyslots hold. */
  readonly write: (device: HeaderDevice, volume: NewLuksVolume) => Promise<void>;
}

/** What a header is planned for. */
export interface FormatTarget {
  /** Of what carries the header. Bytes. */
  readonly headerSize: number;
  /** Of what carries the data. */
  readonly data: Pick<Limits, "size" | "logicalBlockSize" | "physicalBlockSize">;
  /** What the user calls that, for errors. */
  readonly dataName: string;
  readonly isDetached: boolean;
  readonly keyCount: number;
}

const ENCRYPTION_DEFAULT = "aes-xts-plain64";
const SECTOR_SIZES: readonly number[] = [512, 1024, 2048, 4096];
const BLOCK_SIZE_MAX = 4096;
// A shorter one could be found by trying (and cryptsetup refuses it).
const HASH_LENGTH_MIN = 20;
const LABEL_LENGTH_MAX = 47;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const LUKS1_KEYSLOTS_OFFSET = 4096;

/**
 * Decides all that was left open. Throws `CEV_INVALID`, `CEV_NO_SPACE`, or `CEV_UNKNOWN_FEATURE` for a cipher or hash that is not
 * known here.
 */
export function planFormat(shape: FormatShape, target: FormatTarget): FormatPlan {
  const { version = 2, encryption = ENCRYPTION_DEFAULT, hash = "sha256", label = "", subsystem = "" } = shape;
  if (version === 1) refuseForLuks1(shape);
  checkTexts(shape);
  const keySize = shape.keySize ?? defaultKeySize(encryption);
  parseCipher(encryption, keySize);
  if (hashLength(hash) < HASH_LENGTH_MIN) throw invalid(`the hash ${hash} is too short to be safe`);
  const keyslotEncryption =
    shape.keyslotEncryption ?? (version === 1 ? encryption : keyslotEncryptionFor(encryption));
  const keyslotKeySize =
    shape.keyslotKeySize ??
    (shape.keyslotEncryption === undefined && keyslotEncryption === encryption
      ? keySize
      : defaultKeySize(keyslotEncryption));
  parseCipher(keyslotEncryption, keyslotKeySize);
  if (target.keyCount === 0) throw invalid("at least one key is needed");
  const ids = Array.from({ length: target.keyCount }, (_, index) => (shape.keyslot ?? 0) + index);
  const layout = version === 1 ? layout1(shape, target, keySize, ids) : layout2(shape, target, keySize, ids);
  const { dataOffset } = layout;
  if (dataOffset + 512 > target.data.size)
    throw new CevError(
      "CEV_INVALID",
      `it has ${target.data.size} bytes: nothing is left for data, which would begin at byte ${dataOffset}`,
      {
        source: target.dataName,
        hint: "take a larger device, a smaller data offset or area for keyslots, or detach the header",
      },
    );
  const sectorSize = sectorSizeOf(shape, version, dataOffset, target);
  const common = { version, encryption, keySize, hash, sectorSize, label, subsystem };
  return { ...common, keyslotEncryption, keyslotKeySize, ...layout };
}

type LayoutPart = Pick<FormatPlan, "dataOffset" | "keyslotsOffset" | "headerLength" | "places" | "write">;

function layout1(
  shape: FormatShape,
  target: FormatTarget,
  keySize: number,
  ids: readonly number[],
): LayoutPart {
  const layout = planLuks1Layout({ ...placement(shape, target), keySize });
  const { dataOffset, headerLength } = layout;
  const places = placeLuks1Keyslots(layout, keySize, ids);
  const write = (device: HeaderDevice, volume: NewLuksVolume): Promise<void> =>
    formatLuks1(device, volume, layout);
  return { dataOffset, headerLength, keyslotsOffset: LUKS1_KEYSLOTS_OFFSET, places, write };
}

function layout2(
  shape: FormatShape,
  target: FormatTarget,
  keySize: number,
  ids: readonly number[],
): LayoutPart {
  const { metadataSize, keyslotsSize } = shape;
  const layout = planLuks2Layout({
    ...placement(shape, target),
    ...(metadataSize === undefined ? {} : { metadataSize }),
    ...(keyslotsSize === undefined ? {} : { keyslotsSize }),
  });
  const { dataOffset, headerLength } = layout;
  const places = placeLuks2Keyslots(layout, keySize, ids);
  const write = (device: HeaderDevice, volume: NewLuksVolume): Promise<void> =>
    formatLuks2(device, volume, layout);
  return { dataOffset, headerLength, keyslotsOffset: 2 * layout.metadataSize, places, write };
}

function placement(
  { dataOffset, alignment }: FormatShape,
  { headerSize, isDetached }: FormatTarget,
): { readonly deviceSize: number; readonly isDetached: boolean; dataOffset?: number; alignment?: number } {
  return {
    deviceSize: headerSize,
    isDetached,
    ...(dataOffset === undefined ? {} : { dataOffset }),
    ...(alignment === undefined ? {} : { alignment }),
  };
}

/** The default of `cryptsetup`: 256 bits, twice for xts, which has two keys. */
function defaultKeySize(encryption: string): number {
  const sizes = keySizesOf(encryption);
  const wanted = encryption.includes("xts") ? 64 : 32;
  return sizes.includes(wanted) ? wanted : sizes.at(-1)!;
}

function refuseForLuks1(shape: FormatShape): void {
  const absent = [
    "label",
    "subsystem",
    "metadataSize",
    "keyslotsSize",
    "keyslotEncryption",
    "keyslotKeySize",
  ] as const;
  for (const name of absent)
    if (shape[name] !== undefined && shape[name] !== "") throw invalid(`LUKS1 has no ${name}`);
  if ((shape.sectorSize ?? 512) !== 512) throw invalid("LUKS1 has sectors of 512 bytes");
  splitEncryption(shape.encryption ?? ENCRYPTION_DEFAULT);
}

function checkTexts({ label = "", subsystem = "", uuid }: FormatShape): void {
  for (const text of [label, subsystem])
    if (Buffer.byteLength(text) > LABEL_LENGTH_MAX || /\p{Cc}/u.test(text))
      throw invalid(
        `a label or subsystem has at most ${LABEL_LENGTH_MAX} bytes of UTF-8, and no control characters`,
      );
  if (uuid !== undefined && !UUID.test(uuid)) throw invalid(`${JSON.stringify(uuid)} is no UUID`);
}

/** As was asked for; else the physical block size, as `cryptsetup` chooses, where data and device are whole multiples of it. */
function sectorSizeOf(
  { sectorSize }: FormatShape,
  version: 1 | 2,
  dataOffset: number,
  { data }: FormatTarget,
): number {
  const { logicalBlockSize, physicalBlockSize, size } = data;
  if (logicalBlockSize > BLOCK_SIZE_MAX)
    throw invalid(`blocks of ${logicalBlockSize} bytes are larger than the header's parts`);
  const isAligned = (unit: number): boolean => dataOffset % unit === 0 && (size - dataOffset) % unit === 0;
  const sectorMin = Math.max(512, logicalBlockSize);
  if (dataOffset % sectorMin !== 0)
    throw invalid(`data at byte ${dataOffset} would begin within a block of ${sectorMin} bytes`);
  if (version === 1) return 512;
  if (sectorSize !== undefined) {
    if (!SECTOR_SIZES.includes(sectorSize)) throw invalid(`sectors of ${sectorSize} bytes are not known`);
    if (!isAligned(sectorSize))
      throw invalid(
        `the data, from byte ${dataOffset} to ${size}, is not whole sectors of ${sectorSize} bytes`,
      );
    return sectorSize;
  }
  const isUsable = physicalBlockSize > sectorMin && physicalBlockSize <= BLOCK_SIZE_MAX;
  return isUsable && isAligned(physicalBlockSize) ? physicalBlockSize : sectorMin;
}

/** Bytes that a new detached header of this shape takes. Throws as `luksFormat` does. */
export function luksHeaderLength(shape: FormatShape): number {
  const data = { size: 2 ** 52, logicalBlockSize: 512, physicalBlockSize: 512 };
  const target = { headerSize: 2 ** 52, data, dataName: "the device", isDetached: true, keyCount: 1 };
  return planFormat({ ...shape, sectorSize: 512 }, target).headerLength;
}
