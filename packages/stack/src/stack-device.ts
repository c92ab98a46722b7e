import type { Details, Layer } from "@cev/core";

/** What a device carries, where a driver knew it. */
export interface Content {
  readonly driver: string;
  /** In a few words: "md active device 1 of raid5 array data (4 devices)". */
  readonly summary: string;
  readonly details: Details;
}

/** One device of a stack. */
export interface StackDevice {
  readonly name: string;
  /** Name of the driver that made it; null for a layer that was handed in. */
  readonly driver: string | null;
  /** Null where it could not be opened: a locked device. */
  readonly layer: Layer | null;
  /** What the driver made, where a joint stands on it; absent: that is `layer`. */
  readonly own?: Layer;
  readonly lowers: readonly StackDevice[];
  /** "clean", "degraded", "locked"… in the words of its format. */
  readonly state: string;
  readonly details: Details;
  /** Known for devices that were looked at, and carry a known format. */
  readonly content: Content | null;
}

/** A device while its stack is being put together: its name may change, and its content is found out later. */
export interface DeviceRecord extends StackDevice {
  name: string;
  driver: string | null;
  layer: Layer | null;
  own?: Layer;
  lowers: readonly DeviceRecord[];
  state: string;
  details: Details;
  content: Content | null;
}
