import { Device, Op } from "@cev/core";
import type { Environment } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { CorruptionLayer, FaultLayer, VolatileCacheLayer } from "@cev/test-kit";
import type { Disk } from "./disk-vfs.ts";

const DISK_SIZE = 16 * (1 << 20);

/**
 * A disk in memory with everything that goes wrong with disks: a cache that is lost with the power, flushes that are not done, places that
 * cannot be read. The power goes at a request of one's choice.
 */
export class FragileDisk implements Disk {
  readonly size: number;
  readonly faults: FaultLayer;
  readonly corruptions: CorruptionLayer;
  /** How many requests there were. */
  requestCount = 0;
  cutCount = 0;
  readonly #cache: VolatileCacheLayer;
  readonly #device: Device;
  #cutAt = Infinity;

  private constructor(device: Device, layers: readonly [FaultLayer, CorruptionLayer, VolatileCacheLayer]) {
    [this.faults, this.corruptions, this.#cache] = layers;
    this.size = device.size;
    this.#device = device;
  }

  static async open(environment: Environment, seed: number): Promise<FragileDisk> {
    const ramdisk = new RamdiskLayer(environment, { size: DISK_SIZE });
    const cache = new VolatileCacheLayer(ramdisk, { environment, seed });
    const corruptions = new CorruptionLayer(cache, { seed });
    const faults = new FaultLayer(corruptions, environment, { seed });
    return new FragileDisk(await Device.open(faults, environment), [faults, corruptions, cache]);
  }

  get isOff(): boolean {
    return this.#cache.isOff;
  }

  /** The power goes while the `count`-th request from now on is under way. */
  cutAfter(count: number): void {
    this.#cutAt = this.requestCount + count;
  }

  /** The power is back: the disk holds what has survived. */
  restore(): void {
    this.#cutAt = Infinity;
    this.#cache.restore();
  }

  /** From now on flushes are acknowledged, and not done. */
  loseFlushes(): void {
    this.corruptions.add({ op: Op.flush, corruption: { kind: "lostFlush" } });
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#request(() => this.#device.read(offset, length));
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#request(() => this.#device.write(offset, data));
  }

  flush(): Promise<void> {
    return this.#request(() => this.#device.flush());
  }

  close(): Promise<void> {
    return this.#device.close();
  }

  async #request<T>(submit: () => Promise<T>): Promise<T> {
    const done = submit();
    if (++this.requestCount === this.#cutAt) {
      // It is waited for below.
      done.catch(() => undefined);
      this.cutCount++;
      await this.#cache.cut();
    }
    return done;
  }
}
