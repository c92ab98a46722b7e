/** What core puts between layers that differ, over disks that need it. */
import { BlockLayer, Device, EmulationLayer, FULL_SUPPORT, LayerBase, SplitLayer, adapt } from "@cev/core";
import type { Environment, Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import type { LowerOptions, Subject } from "@cev/test-kit";

const SIZE = 65_536;

/** A device as a layer: what a server does with one. */
class DeviceLayer extends LayerBase {
  readonly name = "device";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #environment: Environment;
  #device: Device | null = null;

  constructor(lower: Layer, environment: Environment) {
    super([lower]);
    const { limits, support } = adapt(lower, environment, 1);
    this.limits = limits;
    this.support = support;
    this.#lower = lower;
    this.#environment = environment;
  }

  override async open(): Promise<void> {
    this.#device = await Device.open(this.#lower, this.#environment);
  }

  submit(io: Io): void {
    this.#device!.submit(io);
  }

  override async close(): Promise<void> {
    await this.#device!.close();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }
}

interface Configuration {
  readonly name: string;
  readonly lower: Partial<LowerOptions>;
  readonly support?: Partial<Support>;
  readonly make: (lower: Layer, environment: Environment) => Layer;
}

const blocksOf =
  (logicalBlockSize: number) =>
  (lower: Layer, environment: Environment): Layer =>
    new BlockLayer(lower, { logicalBlockSize, environment });

const needy: Partial<LowerOptions> = {
  blockSize: 4096,
  limits: { ioLengthMax: 12_288 },
  support: { fua: "none", writeZeroes: "none", discard: "none" },
};

const configurations: readonly Configuration[] = [
  { name: "blocks of 512 over 4096", lower: { blockSize: 4096 }, make: blocksOf(512) },
  { name: "blocks of 1 over 4096", lower: { blockSize: 4096 }, make: blocksOf(1) },
  { name: "blocks of 1 over 512", lower: {}, make: blocksOf(1) },
  {
    name: "blocks of 1 over 4096 without FUA, zeroes and discards",
    lower: { blockSize: 4096, support: { fua: "none", writeZeroes: "none", discard: "none" } },
    support: { fua: "none", writeZeroes: "none", discard: "none" },
    make: blocksOf(1),
  },
  {
    name: "emulation of FUA and zeroes",
    lower: { support: { fua: "none", writeZeroes: "none" } },
    support: { fua: "emulated", writeZeroes: "emulated" },
    make: (lower) => new EmulationLayer(lower),
  },
  {
    name: "emulation of FUA",
    lower: { support: { fua: "none" } },
    support: { fua: "emulated" },
    make: (lower) => new EmulationLayer(lower),
  },
  {
    name: "emulation of zeroes",
    lower: { support: { writeZeroes: "none" } },
    support: { writeZeroes: "emulated" },
    make: (lower) => new EmulationLayer(lower),
  },
  {
    name: "splits to single blocks",
    lower: { limits: { ioLengthMax: 512 } },
    make: (lower) => new SplitLayer(lower),
  },
  {
    name: "splits to what is no power of two",
    lower: { limits: { ioLengthMax: 5000 } },
    make: (lower) => new SplitLayer(lower),
  },
  {
    name: "all of them",
    lower: needy,
    support: { fua: "emulated", writeZeroes: "emulated", discard: "none" },
    make: (lower, environment) => adapt(lower, environment, 1),
  },
  {
    name: "a Device",
    lower: needy,
    support: { fua: "emulated", writeZeroes: "emulated", discard: "none" },
    make: (lower, environment) => new DeviceLayer(lower, environment),
  },
  { name: "a Device over what needs nothing", lower: {}, make: (lower, e) => new DeviceLayer(lower, e) },
];

export const adapterSubjects: readonly Subject[] = configurations.map(({ name, lower, support, make }) => ({
  name: `core, ${name}`,
  manifest: { support: { ...FULL_SUPPORT, ...support } },
  create: (bench) => make(bench.lower({ size: SIZE, ...lower }), bench.environment),
}));
