import { Op } from "@cev/core";
import type { Environment, Io } from "@cev/core";
import { FaultLayer, NoOpLayer, PowerCutLayer } from "@cev/test-kit";

/** A disk that tells when something is about to change on it, or to become durable. */
class TellingLayer extends NoOpLayer {
  onChange: (() => void) | null = null;

  override submit(io: Io): void {
    if (io.op !== Op.read) this.onChange?.();
    super.submit(io);
  }
}

/** A disk with a volatile cache that can be made to fail. */
export interface Disk {
  readonly name: string;
  readonly platter: PowerCutLayer;
  readonly fault: FaultLayer;
  readonly layer: TellingLayer;
}

/** Disks named d0, d1 … that hold these images. */
export function disksOf(environment: Environment, images: readonly Uint8Array[]): Disk[] {
  return images.map((contents, index) => {
    const platter = new PowerCutLayer(environment, { size: contents.length, contents, completion: "later" });
    const fault = new FaultLayer(platter, environment);
    return { name: `d${index}`, platter, fault, layer: new TellingLayer(fault) };
  });
}
