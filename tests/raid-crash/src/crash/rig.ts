import type { Environment } from "@cev/core";
import { FaultLayer, PowerCutLayer } from "@cev/test-kit";

/** A disk with a volatile cache that can be made to fail. */
export interface Disk {
  readonly name: string;
  readonly platter: PowerCutLayer;
  readonly fault: FaultLayer;
  /** What stands on top: that an array is made of. */
  readonly layer: FaultLayer;
}

/** Disks named d0, d1 … that hold these images. */
export function disksOf(environment: Environment, images: readonly Uint8Array[]): Disk[] {
  return images.map((contents, index) => {
    const platter = new PowerCutLayer(environment, { size: contents.length, contents, completion: "later" });
    const fault = new FaultLayer(platter, environment);
    return { name: `d${index}`, platter, fault, layer: fault };
  });
}
