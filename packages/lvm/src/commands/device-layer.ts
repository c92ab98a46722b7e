import { LayerBase } from "@cev/core";
import type { Device, Io, LayerDescription, Limits, Support } from "@cev/core";

/** An opened device as a layer, for what is put together on the devices a command was given. The device stays its owner's. */
export class DeviceLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly #device: Device;

  constructor(device: Device) {
    super();
    this.name = device.name;
    this.limits = device.limits;
    this.support = device.support;
    this.#device = device;
  }

  submit(io: Io): void {
    this.#device.submit(io);
  }

  describe(): LayerDescription {
    return this.#device.layer.describe();
  }
}
