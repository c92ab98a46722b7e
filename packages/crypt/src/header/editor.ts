import type { Keyslot, LuksVolume, Pbkdf2 } from "./luks-volume.ts";

/** Where a new keyslot can go. Sizes and offsets are bytes. */
export interface KeyslotPlace {
  readonly id: number;
  readonly area: { readonly offset: number; readonly size: number };
}

/** What a keyslot is to hold, as far as its place depends on it. */
export interface PlaceRequest {
  /** Bytes of the key to be wrapped. */
  readonly keySize: number;
  /** This number and no other; by default the first free one. */
  readonly id?: number;
}

/** A digest to be made, of a key that opens no segment. */
export interface NewDigest {
  readonly kdf: Pbkdf2;
  readonly digest: Uint8Array;
}

/**
 * A LUKS header that is being changed; the same for both versions of the format. Every method leaves the device, cut at any
 * write, with every key that opened it before or every key that opens it afterwards. Made by `editHeader`, which holds the claim
 * on the device.
 */
export interface HeaderEditor {
  /** The header as it stands on the disk now, the changes so far included. */
  readonly volume: LuksVolume;
  /** Throws `CEV_NO_SPACE` when there is no number or no room left, `CEV_INVALID` when the wanted number is taken or not there. */
  placeKeyslot(request: PlaceRequest): KeyslotPlace;
  /**
   * Writes the area (its bytes as they stand on the disk) durably, then enters the keyslot, bound to the digest of that number or
   * to a new one. Throws `CEV_NOT_SUPPORTED` for a new digest where the format has but one.
   */
  addKeyslot(slot: Keyslot, area: Uint8Array, digest: number | NewDigest): Promise<void>;
  /**
   * As `addKeyslot`, and takes keyslot `oldId` out: in one update where the format allows it, else one after the other. Where the
   * format allows it `slot.id` may be `oldId` (its area lies elsewhere). The old area is overwritten afterwards.
   */
  replaceKeyslot(oldId: number, slot: Keyslot, area: Uint8Array, digestId: number): Promise<void>;
  /**
   * Overwrites the areas of keyslots with random bytes, durably, and takes them out of the header. A digest that has neither
   * keyslots nor segments left goes with them.
   */
  removeKeyslots(ids: readonly number[]): Promise<void>;
}
