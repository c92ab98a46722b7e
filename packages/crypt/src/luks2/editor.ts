import { CevError, MetadataError, assert } from "@cev/core";
import type { HeaderEditor, KeyslotPlace, NewDigest, PlaceRequest } from "../header/editor.ts";
import { refuseForeign } from "../header/foreign-signature.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import type { Keyslot, LuksVolume } from "../header/luks-volume.ts";
import { writeCopy } from "./commit.ts";
import type { CommonHeader, CopyName } from "./commit.ts";
import { luks2VolumeOf, readLuks2Copies } from "./copies.ts";
import type { Luks2Copies } from "./copies.ts";
import { digestJson, keyslotJson } from "./encode-json.ts";
import { areasOf, bindKeyslot, findGap, forgetKeyslot, freeNumber, listOf } from "./edit-json.ts";
import { BINARY_LENGTH, SEQUENCE_MAX } from "./header.ts";
import { jsonObjectOf, writeJson } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { IDS_END, areaSizeOf } from "./layout.ts";
import { decodeArea } from "./read-copy.ts";
import type { HeaderContent } from "./read-copy.ts";

const DIGESTS_END = 8;

/** The names of a device that its binary header carries. */
export interface HeaderNames {
  readonly uuid?: string;
  readonly label?: string;
  readonly subsystem?: string;
}

/**
 * Reads a LUKS2 header in order to change it. Throws `CEV_BAD_METADATA` when there is none, or when its copies are of two devices;
 * `CEV_AMBIGUOUS` when there is something else in place of the first one; `CEV_UNKNOWN_FEATURE` when it asks for what is not known here: then nothing can be known of what a change would do.
 */
export async function openLuks2Editor(device: HeaderDevice): Promise<Luks2Editor> {
  const copies = await readLuks2Copies(device);
  const place = { source: device.name, structure: "LUKS2 header", byteOffset: 0 };
  if (copies === null) throw new MetadataError("there is no LUKS2 header here", place);
  await refuseForeign(device, copies);
  if (copies.other === "foreign")
    throw new MetadataError(copies.problem!, { ...place, field: "uuid", hint: "repair the header first" });
  // Whether a key could open the device: else nothing is known of what a change does to it.
  luks2VolumeOf(copies, false);
  return new Luks2Editor(device, copies);
}

/** A LUKS2 header that is being changed. What it holds beside what is changed stays as it is. Made by `openLuks2Editor`. */
export class Luks2Editor implements HeaderEditor {
  readonly #device: HeaderDevice;
  #content: HeaderContent;
  /** The copy that is whole and newest; it is written last. */
  #used: CopyName;

  constructor(device: HeaderDevice, copies: Luks2Copies) {
    this.#device = device;
    this.#content = copies;
    this.#used = copies.used;
  }

  get volume(): LuksVolume {
    return luks2VolumeOf(this.#content, false);
  }

  /** The header as it stands on the disk now. */
  get content(): HeaderContent {
    return this.#content;
  }

  /** Bytes that a backup of the header takes: both copies and the area for keyslots. */
  get backupLength(): number {
    return 2 * this.#content.header.headerSize + this.#keyslotsSize();
  }

  placeKeyslot(request: PlaceRequest): KeyslotPlace {
    const json = this.#json();
    const keyslots = listOf(json, "keyslots");
    const id = request.id ?? freeNumber(keyslots, IDS_END);
    if (id === null) throw full(`all ${IDS_END} keyslots are in use`);
    if (!Number.isInteger(id) || id < 0 || id >= IDS_END)
      throw new CevError("CEV_INVALID", `keyslots are numbered from 0 to ${IDS_END - 1}, not ${id}`);
    if (Object.hasOwn(keyslots, id)) throw new CevError("CEV_INVALID", `keyslot ${id} is in use`);
    return { id, area: this.#findArea(json, request.keySize) };
  }

  /** Room for the area of a key, beside those of all keyslots. Throws `CEV_NO_SPACE`. */
  placeArea(keySize: number): KeyslotPlace["area"] {
    return this.#findArea(this.#json(), keySize);
  }

  async addKeyslot(slot: Keyslot, area: Uint8Array, digest: number | NewDigest): Promise<void> {
    this.#checkArea(slot, area);
    const json = this.#json();
    assert(!Object.hasOwn(listOf(json, "keyslots"), slot.id), `keyslot ${slot.id} is free`);
    this.#enter(json, slot, digest);
    // A text that does not fit is refused before anything is written.
    this.#encode(json, {});
    await this.#device.writeDurably(slot.area.offset, area);
    await this.#commit(json, {});
  }

  async replaceKeyslot(oldId: number, slot: Keyslot, area: Uint8Array, digestId: number): Promise<void> {
    this.#checkArea(slot, area);
    const json = this.#json();
    const keyslots = listOf(json, "keyslots");
    const old = areasOf(json).filter(({ id }) => id === String(oldId));
    if (old.length === 0) throw noKeyslot(oldId);
    if (slot.id === oldId) {
      Reflect.deleteProperty(keyslots, oldId);
      for (const digest of Object.values(listOf(json, "digests"))) bindKeyslot(digest, oldId, false);
    } else forgetKeyslot(json, oldId);
    this.#enter(json, slot, digestId);
    this.#encode(json, {});
    await this.#device.writeDurably(slot.area.offset, area);
    await this.#commit(json, {});
    for (const { offset, size } of old) await this.#overwrite(offset, size);
  }

  async removeKeyslots(ids: readonly number[]): Promise<void> {
    const json = this.#json();
    const areas = areasOf(json);
    for (const id of ids) if (!areas.some((area) => area.id === String(id))) throw noKeyslot(id);
    for (const id of ids) forgetKeyslot(json, id);
    this.#encode(json, {});
    for (const { id, offset, size } of areas)
      if (ids.includes(Number(id))) await this.#overwrite(offset, size);
    await this.#commit(json, {});
  }

  /**
   * Changes the JSON area, and the names where some are given, in one update of both copies. Throws `CEV_NO_SPACE` when it does not fit,
   * `CEV_BAD_METADATA` when it is not valid any more; then nothing was written.
   */
  async update(change: (json: JsonObject) => void, names: HeaderNames = {}): Promise<void> {
    const json = this.#json();
    change(json);
    await this.#commit(json, names);
  }

  /** Changes what the binary header carries, both copies. The caller has checked that it fits. */
  async rename(names: HeaderNames): Promise<void> {
    await this.#commit(this.#json(), names);
  }

  #json(): JsonObject {
    return jsonObjectOf(this.#content.root);
  }

  #keyslotsSize(): number {
    return this.#content.root.member("config").member("keyslots_size").decimal();
  }

  #findArea(json: JsonObject, keySize: number): KeyslotPlace["area"] {
    const start = 2 * this.#content.header.headerSize;
    const size = areaSizeOf(keySize);
    const offset = findGap(areasOf(json), { start, end: start + this.#keyslotsSize(), size });
    if (offset === null) throw full("the area for keyslots is full");
    return { offset, size };
  }

  #checkArea({ area }: Keyslot, bytes: Uint8Array): void {
    const start = 2 * this.#content.header.headerSize;
    const end = area.offset + area.size;
    assert(bytes.length <= area.size, "the bytes fit the keyslot's area");
    assert(
      area.offset >= start && end <= start + this.#keyslotsSize(),
      "the area lies among those of keyslots",
    );
    const isFree = areasOf(this.#json()).every(
      (other) => area.offset >= other.offset + other.size || other.offset >= end,
    );
    assert(isFree, "the area is free");
  }

  #enter(json: JsonObject, slot: Keyslot, digest: number | NewDigest): void {
    listOf(json, "keyslots")[slot.id] = keyslotJson(slot);
    const digests = listOf(json, "digests");
    if (typeof digest === "number") {
      bindKeyslot(digests[digest], slot.id, true);
      return;
    }
    const id = freeNumber(digests, DIGESTS_END);
    if (id === null) throw full(`all ${DIGESTS_END} digests are in use`);
    digests[id] = digestJson({ ...digest, keyslots: [slot.id], segments: [] });
  }

  async #overwrite(offset: number, size: number): Promise<void> {
    const bytes = new Uint8Array(size);
    this.#device.random(bytes);
    await this.#device.writeDurably(offset, bytes);
  }

  /** The next header, validated as one that is read. */
  #encode(json: JsonObject, names: HeaderNames): HeaderContent & { readonly text: string } {
    const { header } = this.#content;
    const text = writeJson(json);
    const area = new Uint8Array(header.headerSize - BINARY_LENGTH);
    const bytes = Buffer.from(text, "utf8");
    if (bytes.length >= area.length) throw full("the JSON area is full");
    if (header.sequenceId >= SEQUENCE_MAX)
      throw new CevError("CEV_NOT_SUPPORTED", "the header's sequence number cannot grow any more");
    area.set(bytes);
    const place = { source: this.#device.name, structure: "LUKS2 JSON area", byteOffset: BINARY_LENGTH };
    const next = { ...header, ...names, sequenceId: header.sequenceId + 1n };
    return { header: next, root: decodeArea(area, place), text };
  }

  /** Writes the copy that does not count first: at every moment one is whole. */
  async #commit(json: JsonObject, names: HeaderNames): Promise<void> {
    const { text, ...content } = this.#encode(json, names);
    const header: CommonHeader = content.header;
    const last = this.#used;
    const first = last === "primary" ? "secondary" : "primary";
    await writeCopy(this.#device, header, text, first);
    this.#used = first;
    this.#content = content;
    await writeCopy(this.#device, header, text, last);
  }
}

function noKeyslot(id: number): CevError {
  return new CevError("CEV_INVALID", `there is no keyslot ${id}`);
}

function full(message: string): CevError {
  return new CevError("CEV_NO_SPACE", message, {
    hint: "remove a key or a token that is not needed any more",
  });
}
