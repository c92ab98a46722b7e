import { FULL_SUPPORT, LayerBase, Op, plainLimits, refuse } from "@cev/core";
import type { Io, LayerDescription, Limits, Support } from "@cev/core";
import type { Random } from "@cev/test-kit";

/** Something that reached a device; `bytes` null: all before it on this device is durable. */
export interface JournalEntry {
  readonly device: string;
  readonly offset: number;
  readonly bytes: Uint8Array | null;
}

/** A device in memory; what is written to it and its neighbours stands in one journal, in the order of arrival. */
export class JournalLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly bytes: Uint8Array;
  readonly #journal: JournalEntry[];

  constructor(name: string, bytes: Uint8Array, journal: JournalEntry[]) {
    super();
    this.name = name;
    this.bytes = bytes;
    this.limits = plainLimits(bytes.length);
    this.#journal = journal;
  }

  submit(io: Io): void {
    const { bytes, name } = this;
    switch (io.op) {
      case Op.read:
        io.data.set(bytes.subarray(io.offset, io.offset + io.length), io.dataOffset);
        break;
      case Op.write:
        this.#write(io.offset, io.data.slice(io.dataOffset, io.dataOffset + io.length));
        break;
      case Op.writeZeroes:
        this.#write(io.offset, new Uint8Array(io.length));
        break;
      case Op.flush:
        this.#journal.push({ device: name, offset: 0, bytes: null });
        break;
      default:
        return refuse(io, this);
    }
    io.complete();
  }

  #write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
    this.#journal.push({ device: this.name, offset, bytes });
  }

  describe(): LayerDescription {
    return { driver: "journal", options: { name: this.name }, lowers: [] };
  }
}

/** The contents of devices, by name. */
export type Images = ReadonlyMap<string, Uint8Array>;

/** A state that a power cut can leave. */
export interface Cut {
  /** How many entries of the journal had arrived. */
  readonly at: number;
  readonly images: Images;
}

/**
 * What power cuts can leave behind each entry of a journal: of what was not yet flushed everything, nothing, and twice anything,
 * sector by sector. The images are lent: they hold this until the next cut is asked for.
 */
export function* cutsOf(before: Images, journal: readonly JournalEntry[], random: Random): Generator<Cut> {
  /** What is durable, whatever happens. */
  const images = new Map([...before].map(([name, bytes]) => [name, bytes.slice()]));
  let pending: Write[] = [];
  const nothing = (): boolean => false;
  for (let at = 0; at <= journal.length; at++) {
    const choices = [() => true];
    if (pending.length > 0)
      choices.push(
        nothing,
        () => random.chance(0.5),
        () => random.chance(0.5),
      );
    for (const choose of choices) {
      const undo = pending.map(({ device, offset, bytes }) => ({
        device,
        offset,
        bytes: images.get(device)!.slice(offset, offset + bytes.length),
      }));
      for (const write of pending) apply(images, write, choose);
      yield { at, images };
      for (const write of undo.reverse()) apply(images, write, () => true);
    }
    const entry = journal[at];
    if (entry === undefined) return;
    const { device, offset, bytes } = entry;
    if (bytes !== null) {
      pending.push({ device, offset, bytes });
      continue;
    }
    for (const write of pending) if (write.device === device) apply(images, write, () => true);
    pending = pending.filter((write) => write.device !== device);
  }
}

interface Write {
  readonly device: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function apply(images: Images, { device, offset, bytes }: Write, choose: () => boolean): void {
  for (let start = 0; start < bytes.length; start += 512)
    if (choose()) images.get(device)!.set(bytes.subarray(start, start + 512), offset + start);
}
