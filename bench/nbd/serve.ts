import { parseArgs } from "node:util";
import { Device, environmentFrom } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";

// One contestant of the NBD bench, a process of its own: a ramdisk or a file over a Unix socket.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: "string" },
    file: { type: "string" },
    "write-at-once": { type: "boolean" },
    "busy-poll-us": { type: "string" },
  },
});
const environment = environmentFrom(globalThis);
const device = await Device.open(await layerOf(environment), environment, { name: "served" });
const busyPoll = values["busy-poll-us"];
const server = new NbdServer({
  environment,
  exports: [{ name: "default", device }],
  ...(busyPoll === undefined ? {} : { busyPollUs: Number(busyPoll) }),
});
await server.listen({ path: positionals[0]! });
process.once("SIGTERM", () => void server.close().then(() => device.close()));

async function layerOf(environment: Environment): Promise<Layer> {
  const { file, "write-at-once": writeAtOnce = false } = values;
  if (file !== undefined) return await FileLayer.at(environment, { path: file, writeAtOnce });
  // Bytes, as nbdkit's memory plugin has them: no partial blocks for anybody.
  return new RamdiskLayer(environment, { size: Number(values.size), blockSize: 1 });
}
