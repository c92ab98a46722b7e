import { CevError, assert } from "@cev/core";
import type { HeaderEditor, KeyslotPlace, NewDigest, PlaceRequest } from "../header/editor.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import type { Keyslot, LuksVolume } from "../header/luks-volume.ts";
import { isUuid } from "../luks2/header.ts";
import { checkLuks1Keyslot, freeLuks1Keyslot, luks1KeyslotFrom } from "./format.ts";
import { LUKS1_KEYSLOT_COUNT, luks1AreaSize } from "./header.ts";
import type { Luks1Header, Luks1Keyslot } from "./header.ts";
import { damagedKeyslot, luks1VolumeOf, readLuks1Header, refuseDamagedUuid } from "./volume.ts";
import { Luks1HeaderWriter } from "./write-header.ts";

const UUID_LENGTH_MAX = 39;
// A backup is as long as whole pages of memory, as cryptsetup makes it.
const BACKUP_ALIGNMENT = 4096;

/**
 * Opens the LUKS1 header of a device for changes. Throws `CEV_BAD_METADATA` when it cannot be used, also when a keyslot is neither
 * enabled nor disabled: nothing is written to a header that is not fully understood. Where the UUID is damaged all that can be done
 * is to set another.
 */
export async function openLuks1Editor(device: HeaderDevice): Promise<Luks1Editor> {
  const header = await readLuks1Header(device);
  const damaged = header.keyslots.findIndex(({ state }) => state === "damaged");
  if (damaged < 0) return new Luks1Editor(device, header, await Luks1HeaderWriter.open(device));
  throw damagedKeyslot(device.name, damaged);
}

/** A LUKS1 header that is being changed. It has one digest, and a fixed place for each of its eight keyslots. */
export class Luks1Editor implements HeaderEditor {
  readonly #device: HeaderDevice;
  readonly #writer: Luks1HeaderWriter;
  #header: Luks1Header;

  constructor(device: HeaderDevice, header: Luks1Header, writer: Luks1HeaderWriter) {
    this.#device = device;
    this.#header = header;
    this.#writer = writer;
  }

  /** As it stands on the disk now. */
  get header(): Luks1Header {
    return this.#header;
  }

  get volume(): LuksVolume {
    return luks1VolumeOf(this.#header);
  }

  /** Bytes from the device's start that a backup of the header holds. */
  get backupLength(): number {
    const { keyslots, keySize } = this.#header;
    const end = Math.max(...keyslots.map(({ offset }) => offset)) + luks1AreaSize(keySize);
    return Math.ceil(end / BACKUP_ALIGNMENT) * BACKUP_ALIGNMENT;
  }

  placeKeyslot({ keySize, id }: PlaceRequest): KeyslotPlace {
    refuseDamagedUuid(this.#device.name, this.#header);
    const { keyslots } = this.#header;
    if (keySize !== this.#header.keySize)
      throw invalid(
        `every keyslot of LUKS1 holds the volume key of ${this.#header.keySize} bytes, and no other`,
      );
    const chosen = id ?? keyslots.findIndex(({ state }) => state === "disabled");
    if (chosen < 0) {
      throw new CevError("CEV_NO_SPACE", `all ${LUKS1_KEYSLOT_COUNT} keyslots are in use`, {
        source: this.#device.name,
        hint: "remove a key that is not needed any more; LUKS1 has room for eight",
      });
    }
    const slot = keyslots[chosen];
    if (slot === undefined)
      throw invalid(`LUKS1 has keyslots 0 to ${LUKS1_KEYSLOT_COUNT - 1}, and no ${chosen}`);
    if (slot.state !== "disabled") throw invalid(`keyslot ${chosen} is in use`);
    return { id: chosen, area: { offset: slot.offset, size: luks1AreaSize(keySize) } };
  }

  async addKeyslot(slot: Keyslot, area: Uint8Array, digest: number | NewDigest): Promise<void> {
    if (typeof digest !== "number")
      throw new CevError("CEV_NOT_SUPPORTED", "LUKS1 holds one key, and none that opens nothing");
    if (digest !== 0) throw invalid("LUKS1 has one digest, number 0");
    this.placeKeyslot({ keySize: slot.keySize, id: slot.id });
    checkLuks1Keyslot(this.#header, slot);
    assert(area.length === slot.area.size, "the area is as long as the keyslot says");
    await this.#device.writeDurably(slot.area.offset, area);
    await this.#commit(withKeyslots(this.#header, [[slot.id, luks1KeyslotFrom(slot)]]));
  }

  async replaceKeyslot(oldId: number, slot: Keyslot, area: Uint8Array, digestId: number): Promise<void> {
    if (slot.id === oldId) {
      throw invalid(
        `keyslot ${oldId} of LUKS1 cannot be replaced in its own place: a power cut would lose it`,
      );
    }
    this.#checkInUse(oldId);
    await this.addKeyslot(slot, area, digestId);
    await this.removeKeyslots([oldId]);
  }

  async removeKeyslots(ids: readonly number[]): Promise<void> {
    refuseDamagedUuid(this.#device.name, this.#header);
    for (const id of ids) this.#checkInUse(id);
    const { keyslots, keySize } = this.#header;
    // The material goes first: a header that does not name it any more would hide that it is still there.
    for (const id of ids) await this.#wipe(keyslots[id]!.offset, luks1AreaSize(keySize));
    const freed = ids.map((id): [number, Luks1Keyslot] => [id, freeLuks1Keyslot(keyslots[id]!.offset)]);
    await this.#commit(withKeyslots(this.#header, freed));
  }

  /** Gives the device another UUID. */
  async setUuid(uuid: string): Promise<void> {
    if (!isUuid(uuid) || uuid.length > UUID_LENGTH_MAX) throw invalid(`${JSON.stringify(uuid)} is no UUID`);
    await this.#commit({ ...this.#header, uuid });
  }

  /** Takes all keys out: from then on nothing opens the data. */
  async erase(): Promise<void> {
    await this.removeKeyslots(this.volume.keyslots.map(({ id }) => id));
  }

  /** Random bytes over a part of the device. */
  async #wipe(offset: number, length: number): Promise<void> {
    const bytes = new Uint8Array(length);
    this.#device.random(bytes);
    await this.#device.writeDurably(offset, bytes);
  }

  async #commit(header: Luks1Header): Promise<void> {
    await this.#writer.update(this.#header, header);
    this.#header = header;
  }

  #checkInUse(id: number): void {
    if (this.#header.keyslots[id]?.state !== "enabled") throw invalid(`keyslot ${id} is not in use`);
  }
}

/** The header with some keyslots changed. */
export function withKeyslots(
  header: Luks1Header,
  changes: readonly (readonly [id: number, slot: Luks1Keyslot])[],
): Luks1Header {
  const changed = new Map(changes);
  return { ...header, keyslots: header.keyslots.map((slot, id) => changed.get(id) ?? slot) };
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}
