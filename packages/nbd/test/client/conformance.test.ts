import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Layer } from "@cev/core";
import { testLayer } from "@cev/test-kit";
import type { TestBench } from "@cev/test-kit";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { NbdOptions } from "../../src/client/client-options.ts";
import { NbdLayer } from "../../src/client/nbd-layer.ts";
import { NbdServer } from "../../src/server/server.ts";

const SIZE = 262_144;
let folder = "";
let count = 0;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "cev-nbd-client-"))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A layer over a server of ours, which stands on a disk of the suite's. */
async function overServer(
  bench: TestBench,
  options: Partial<NbdOptions> & { readonly payloadLengthMax?: number } = {},
): Promise<Layer> {
  const { payloadLengthMax, ...client } = options;
  const { environment } = bench;
  const device = await Device.open(bench.lower({ size: SIZE }), environment);
  const server = new NbdServer({
    environment,
    exports: [{ name: "disk", device, ...(client.readOnly === true ? { isReadOnly: true } : {}) }],
    ...(payloadLengthMax === undefined ? {} : { payloadLengthMax }),
  });
  const path = join(folder, `sock${count++}`);
  await server.listen({ path });
  const layer = await NbdLayer.at(environment, {
    reconnectTimeoutMs: 0,
    ...client,
    uri: `nbd+unix:///disk?socket=${path}`,
  });
  const close = layer.close.bind(layer);
  // The suite looks at its disks once the layer is closed: the server has to have given them back.
  layer.close = async () => {
    await close();
    await server.close();
    await device.close();
  };
  bench.onEnd(() => void server.close({ isForced: true }));
  return layer;
}

const skip = {
  durability:
    "the suite cuts the power of the client's disks, and the server would go on; test/client/resume.test.ts has it",
};

testLayer(
  {
    name: "an export of a server",
    manifest: { support: FULL_SUPPORT, skip },
    create: (bench) => overServer(bench),
  },
  { describe, test },
);

testLayer(
  {
    name: "an export over three connections, in short requests",
    manifest: {
      support: FULL_SUPPORT,
      skip: { ...skip, errors: "one connection has them, and a server for each failure takes its time" },
    },
    create: (bench) => overServer(bench, { connections: 3, requestsMax: 4, payloadLengthMax: 16_384 }),
  },
  { describe, test },
);

testLayer(
  {
    name: "a read-only export",
    manifest: { support: READ_ONLY_SUPPORT, skip },
    create: (bench) => overServer(bench, { readOnly: true }),
  },
  { describe, test },
);
