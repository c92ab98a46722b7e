import { assert } from "@cev/core";
import type { HeaderDevice } from "../header/header-device.ts";
import { encodeLuks1Header } from "./header.ts";
import type { Luks1Header } from "./header.ts";

const SECTOR = 512;
const LENGTH = 1024;

/**
 * Writes LUKS1 headers one sector after the other. A header has 592 bytes, and a power cut may leave any of its two sectors old: so
 * each change is laid out that either sector, new beside the other one old, is a header that has all enabled keyslots whole.
 *
 * Keyslots 0 to 5 lie in the first sector, 7 in the second. Of keyslot 6 the first sector has the mark that it is enabled, its
 * iterations and a quarter of its salt, the second one the rest. So the second sector goes first when a keyslot is enabled, and the
 * first when one is disabled.
 */
export class Luks1HeaderWriter {
  readonly #device: HeaderDevice;
  /** Both sectors as they are on the disk. */
  readonly #sectors: Uint8Array;

  private constructor(device: HeaderDevice, sectors: Uint8Array) {
    this.#device = device;
    this.#sectors = sectors;
  }

  static async open(device: HeaderDevice): Promise<Luks1HeaderWriter> {
    return new Luks1HeaderWriter(device, Uint8Array.from(await device.read(0, LENGTH)));
  }

  /** Puts a header over another one. What lies behind its 592 bytes stays. */
  async update(from: Luks1Header, to: Luks1Header): Promise<void> {
    const isEnabling = hasNew(from, to, "enabled");
    assert(!isEnabling || !hasNew(from, to, "disabled"), "keyslots are enabled, or disabled, not both");
    const next = this.#sectors.slice();
    next.set(encodeLuks1Header(to));
    await this.#write(next, isEnabling ? [SECTOR, 0] : [0, SECTOR]);
  }

  /** Writes a header where none is; until the first sector is written there is none. */
  async writeNew(header: Uint8Array): Promise<void> {
    const next = new Uint8Array(LENGTH);
    next.set(header);
    await this.#write(next, [SECTOR, 0]);
  }

  async #write(next: Uint8Array, order: readonly number[]): Promise<void> {
    for (const at of order) {
      const sector = next.subarray(at, at + SECTOR);
      if (Buffer.compare(sector, this.#sectors.subarray(at, at + SECTOR)) === 0) continue;
      await this.#device.writeDurably(at, sector);
      this.#sectors.set(sector, at);
    }
  }
}

function hasNew(from: Luks1Header, to: Luks1Header, state: "enabled" | "disabled"): boolean {
  return to.keyslots.some((slot, id) => slot.state === state && from.keyslots[id]!.state !== state);
}
