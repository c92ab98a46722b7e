import type { KindPlan, SimulationKind } from "@cev/test-kit";
import { CryptLayer } from "@cev/crypt";
import { DriveLinkLayer } from "@cev/drive-link";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { WindowLayer } from "@cev/stack";

const none = () => ({});
const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** What dm-crypt and a data segment of LUKS are: ciphertext behind a gap. */
export const cryptKind: SimulationKind = {
  name: "crypt",
  package: "@cev/crypt",
  planVersion: 1,
  traits: none,
  plan(random, size): KindPlan {
    const offset = 4096 * random.below(3);
    // Most of them by a mode for which a layer needs little memory of its own. In that one a large sector that is torn is lost, as
    // everywhere.
    const isXts = random.chance(0.25);
    const encryption = isXts ? "aes-xts-plain64" : "aes-cbc-plain64";
    const sectorSize = isXts ? random.pick([512, 4096]) : 512;
    return {
      kind: "crypt",
      options: { offset, sectorSize, encryption },
      lowers: [offset + roundUp(size, 4096)],
    };
  },
  async open({ environment, options, whole }) {
    const { offset, sectorSize, encryption } = options as {
      readonly offset: number;
      readonly sectorSize: number;
      readonly encryption: string;
    };
    const volumeKey = Uint8Array.from(
      { length: encryption.includes("xts") ? 64 : 32 },
      (_, index) => index * 3,
    );
    const segment = { offset, size: null, ivTweak: 0, encryption, sectorSize };
    return new CryptLayer(whole()[0]!.layer, { environment, segment, volumeKey });
  },
};

/** Unlike devices one behind the other. */
export const driveLinkKind: SimulationKind = {
  name: "drive-link",
  package: "@cev/drive-link",
  planVersion: 2,
  traits: none,
  plan(random, size): KindPlan {
    const first = Math.min(4096 * random.between(1, 8), roundUp(size, 4096));
    const rest = roundUp(Math.max(4096, size - first), 4096);
    const lowers = random.shuffled([first, rest]);
    return { kind: "drive-link", options: { lengths: lowers }, lowers };
  },
  // Where one begins must not change as the one before grows.
  open: async ({ options, whole }) =>
    new DriveLinkLayer(
      whole().map(({ name, layer }, index) => {
        const length = (options["lengths"] as readonly number[])[index]!;
        return { name, layer: new WindowLayer(layer, "partition", { start: 0, length }) };
      }),
    ),
};

/** A partition. */
export const partitionKind: SimulationKind = {
  name: "partition",
  package: "@cev/stack",
  planVersion: 2,
  traits: none,
  plan(random, size): KindPlan {
    const start = 4096 * random.below(5);
    const length = roundUp(size, 4096);
    return {
      kind: "partition",
      options: { start, length },
      lowers: [start + length + 4096 * random.below(2)],
    };
  },
  async open({ options, whole }) {
    const { start, length } = options as { readonly start: number; readonly length: number };
    return new WindowLayer(whole()[0]!.layer, "partition", { start, length });
  },
};

/** A disk in memory: it keeps nothing, so nothing over it is cut or opened anew. */
export const ramdiskKind: SimulationKind = {
  name: "ramdisk",
  package: "@cev/hw-ramdisk",
  planVersion: 1,
  traits: () => ({ forgets: true }),
  plan: (_random, size) => ({ kind: "ramdisk", options: { size: roundUp(size, 4096) }, lowers: [] }),
  open: async ({ environment, options }) =>
    new RamdiskLayer(environment, { size: options["size"] as number }),
};
