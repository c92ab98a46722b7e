import { SplitLayer } from "@cev/core";
import type { Layer, SubmitTarget } from "@cev/core";
import type { Superblock } from "../metadata/superblock.ts";

const SECTOR = 512;

/** A device that is part of an array. */
export interface MemberDevice {
  /** What the user calls it. */
  readonly name: string;
  readonly layer: Layer;
  readonly superblock: Superblock;
}

/** `in sync`: it holds what it should. `failed`: it did until it failed here. `missing`: it was not there from the start. */
export type MemberState = "in sync" | "failed" | "missing";

/** One place in an array, with the device that fills it, if any. */
export class Member {
  /** Its role: counts from 0. */
  readonly index: number;
  /** What the user calls its device. */
  readonly name: string;
  readonly device: MemberDevice | null;
  /** Where its requests go. */
  readonly target: SubmitTarget;
  /** Where the array's data begins on it, in bytes. */
  readonly dataStart: number;
  /** Of the member, not of its data: a range that cannot be read does not change it. */
  isInSync: boolean;

  constructor(index: number, device: MemberDevice | null, chunkSize: number) {
    this.index = index;
    this.name = device?.name ?? `active device ${index}`;
    this.device = device;
    this.target = device === null ? missingTarget(index) : targetOf(device.layer, chunkSize);
    this.dataStart = device === null ? 0 : device.superblock.dataOffsetSectors * SECTOR;
    this.isInSync = device !== null;
  }

  get state(): MemberState {
    if (this.device === null) return "missing";
    return this.isInSync ? "in sync" : "failed";
  }
}

/** Requests for a member are at most one chunk long. */
function targetOf(layer: Layer, chunkSize: number): SubmitTarget {
  return layer.limits.ioLengthMax < chunkSize ? new SplitLayer(layer) : layer;
}

function missingTarget(index: number): SubmitTarget {
  const name = `active device ${index}`;
  return {
    name,
    submit(io) {
      io.fail("CEV_DEVICE_LOST", `${name} is missing`, name);
    },
  };
}
