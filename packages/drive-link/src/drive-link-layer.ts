import { CevError, SegmentLayer, SegmentMap } from "@cev/core";
import type { Layer, LayerDescription, NamedLayer } from "@cev/core";
import type { DriveLinkOptions } from "./options.ts";

/** One device of a link. */
export interface LinkedDevice {
  readonly name: string;
  readonly layer: Layer;
  /** Where its first byte lies in the link. */
  readonly start: number;
  /** Bytes of it that are used: whole blocks of the link. */
  readonly length: number;
}

/** Settings of a `DriveLinkLayer`. */
export interface DriveLinkLayerOptions extends DriveLinkOptions {
  readonly isReadOnly?: boolean;
}

/**
 * Devices one behind the other as one, in the order given, whatever their sizes. Its blocks are the largest of theirs; what of
 * a device does not fill one is left out. It offers what all of them offer.
 */
export class DriveLinkLayer extends SegmentLayer {
  readonly name = "drive-link";
  readonly devices: readonly LinkedDevice[];

  /** Throws `CEV_INVALID` where devices and sizes do not fit together, `CEV_AMBIGUOUS` for a device that is given twice. */
  constructor(lowers: readonly NamedLayer[], { sizes, isReadOnly = false }: DriveLinkLayerOptions = {}) {
    const devices = linkDevices(lowers, sizes);
    super({
      segments: new SegmentMap(
        devices.map(({ layer, start, length }) => ({
          start,
          length,
          areas: [{ lower: layer, start: 0 }],
          stripeSize: 0,
        })),
      ),
      isReadOnly,
    });
    this.devices = devices;
  }

  describe(): LayerDescription {
    return {
      driver: "@cev/drive-link",
      options: { sizes: this.lowers.map(({ limits }) => limits.size) },
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }
}

function linkDevices(lowers: readonly NamedLayer[], sizes: readonly number[] | undefined): LinkedDevice[] {
  checkSizes(lowers, sizes);
  if (lowers.length === 0) throw new CevError("CEV_INVALID", "there is no device to link");
  const blockSize = Math.max(...lowers.map(({ layer }) => layer.limits.logicalBlockSize));
  let start = 0;
  return lowers.map(({ name, layer }, index) => {
    const twin = lowers.slice(0, index).find((other) => other.layer === layer);
    if (twin !== undefined)
      throw new CevError("CEV_AMBIGUOUS", `${name} is linked twice`, { hint: "name each device once" });
    const length = layer.limits.size - (layer.limits.size % blockSize);
    if (length === 0)
      throw new CevError(
        "CEV_INVALID",
        `${name} has ${layer.limits.size} bytes, which is less than one block of ${blockSize}`,
      );
    const device = { name, layer, start, length };
    start += length;
    return device;
  });
}

/** A device in another's place, or one that has shrunk or grown, would show what lies behind it at the wrong places. */
function checkSizes(lowers: readonly NamedLayer[], sizes: readonly number[] | undefined): void {
  if (sizes === undefined) return;
  if (sizes.length !== lowers.length)
    throw new CevError("CEV_INVALID", `${lowers.length} devices are given, and sizes of ${sizes.length}`, {
      hint: "give all devices of the link, in their order",
    });
  lowers.forEach(({ name, layer }, index) => {
    if (layer.limits.size === sizes[index]) return;
    throw new CevError(
      "CEV_INVALID",
      `${name} has ${layer.limits.size} bytes, but device ${index} of the link has ${sizes[index]}`,
      { hint: "it is another device, in another's place, or was cut short" },
    );
  });
}
