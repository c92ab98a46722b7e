/** Joints at which layers are exchanged: at rest, and with an exchange every few requests. */
import { FULL_SUPPORT, JointLayer } from "@cev/core";
import type { Environment, Io, Layer } from "@cev/core";
import { NoOpLayer } from "@cev/test-kit";
import type { LowerOptions, Subject } from "@cev/test-kit";

const SIZE = 65_536;
const REQUESTS_PER_SWAP = 5;

/** A joint that puts a layer in, or takes it out again, every few requests. */
class RestlessJoint extends JointLayer {
  readonly #environment: Environment;
  #requestCount = 0;
  #isClosing = false;
  #swapping: Promise<void> | null = null;

  constructor(below: Layer, environment: Environment) {
    super(below, { environment });
    this.#environment = environment;
  }

  override submit(io: Io): void {
    super.submit(io);
    if (++this.#requestCount % REQUESTS_PER_SWAP === 0 && this.#swapping === null && !this.#isClosing)
      this.#swapping = this.#swap().finally(() => (this.#swapping = null));
  }

  override async close(): Promise<void> {
    this.#isClosing = true;
    await this.#swapping;
    await super.close();
  }

  async #swap(): Promise<void> {
    const under = this.below.lowers[0];
    const layer = under instanceof JointLayer ? under.below : this.#newLayer();
    // A flush may fail, and disks may be lost: then everything is as before.
    await this.quiesce((swap) => swap.over(layer)).catch(() => undefined);
  }

  #newLayer(): Layer {
    const { claimant } = this;
    return new NoOpLayer(new JointLayer(this.below, { environment: this.#environment, claimant }));
  }
}

const needy: Partial<LowerOptions> = {
  blockSize: 4096,
  limits: { ioLengthMax: 12_288 },
  support: { fua: "none", discard: "none" },
};

const atRest: readonly (readonly [string, Partial<LowerOptions>])[] = [
  ["plain disks", {}],
  ["disks that need adapters", needy],
];

export const jointSubjects: readonly Subject[] = [
  ...atRest.map(([name, lower]): Subject => ({
    name: `a joint over ${name}`,
    manifest: { support: { ...FULL_SUPPORT, ...lower.support } },
    create: (bench) =>
      new JointLayer(bench.lower({ size: SIZE, ...lower }), { environment: bench.environment }),
  })),
  {
    name: "a joint with an exchange every few requests",
    manifest: { support: FULL_SUPPORT, skip: { transparency: "an exchange flushes" } },
    create: (bench) => new RestlessJoint(bench.lower({ size: SIZE }), bench.environment),
  },
];
