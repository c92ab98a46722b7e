import { Device, FULL_SUPPORT, READ_ONLY_SUPPORT, closeTree, openTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { LowerOptions, Subject } from "@cev/test-kit";
import { ChecksumLayer, driver, findHeader, planHeader } from "../src/index.ts";
import type { Header } from "../src/index.ts";

/** A device with checksums in one configuration, for the conformance suite. */
export function subjectOf(name: string, lower: LowerOptions, isReadOnly = false): Subject {
  return {
    name: `checksum, ${name}`,
    manifest: {
      support: isReadOnly ? READ_ONLY_SUPPORT : { ...FULL_SUPPORT, ...lower.support },
      reopen: reopenWith(driver, { isReadOnly }),
      world: "simulated",
    },
    async create(bench) {
      const { environment, random } = bench;
      const disk = bench.lower(lower);
      const header = bench.isFirst
        ? await makeFilled(disk, environment, (length) => random.bytes(length))
        : ((await findHeader(disk, environment)) as Header);
      return new ChecksumLayer(disk, { environment, header, isReadOnly });
    },
  };
}

/** Zeroes look the same wherever they come from: so all blocks are written. */
async function makeFilled(
  disk: Layer,
  environment: Environment,
  bytes: (length: number) => Uint8Array,
): Promise<Header> {
  const header = planHeader(disk.limits.size, disk.limits.logicalBlockSize)!;
  await openTree(disk);
  const device = await Device.open(
    new ChecksumLayer(disk, { environment, header, isNew: true }),
    environment,
  );
  await device.write(0, bytes(device.size));
  await device.close();
  await closeTree(disk);
  return header;
}
