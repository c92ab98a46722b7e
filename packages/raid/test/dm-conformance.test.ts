import { writeBytes } from "@cev/core";
import type { Layer, NamedLayer, Support } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { Manifest, TestBench } from "@cev/test-kit";
import { describe, test } from "vitest";
import { raidDriver } from "../src/index.ts";
import type { DmRaidOption } from "../src/dm-raid/dm-raid-option.ts";
import { dmImages, dmOption } from "./support/dm-images.ts";

const SUPPORT: Support = {
  read: "native",
  write: "native",
  flush: "native",
  fua: "native",
  discard: "native",
  writeZeroes: "native",
};

interface Configuration {
  readonly name: string;
  readonly option: DmRaidOption;
  readonly manifest: Manifest;
  /** A member that is not there. */
  readonly missing?: number;
}

const CONFIGURATIONS: readonly Configuration[] = [
  {
    name: "raid5_ls of three",
    option: dmOption("raid5_ls", 3, 16),
    manifest: { support: SUPPORT, canHideErrors: true },
  },
  {
    name: "raid1 of three, one of them missing",
    option: dmOption("raid1", 3, 32),
    missing: 1,
    manifest: { support: SUPPORT, canHideErrors: true },
  },
];

async function create(bench: TestBench, { option, missing }: Configuration): Promise<Layer> {
  const { environment, isFirst } = bench;
  const lowers: NamedLayer[] = [];
  const members: (number | null)[] = [];
  for (const [position, image] of dmImages(option).entries()) {
    members.push(position === missing ? null : lowers.length);
    if (position === missing) continue;
    const layer = bench.lower({ size: image.length });
    if (isFirst) await writeBytes(layer, environment, 0, image, true);
    lowers.push({ name: `member${position}`, layer });
  }
  const [opened] = await raidDriver.open({
    environment,
    options: { dmRaid: { ...option, members } },
    lowers,
    keySource: { keys: [] },
    isReadOnly: false,
    canWriteDegraded: true,
    directory: ".",
    report: () => undefined,
  });
  return opened!.layer;
}

for (const configuration of CONFIGURATIONS) {
  testLayer(
    {
      name: `an LVM volume: ${configuration.name}`,
      manifest: configuration.manifest,
      create: (bench) => create(bench, configuration),
    },
    { describe, test },
  );
}
