// Serves two files, the first of which hangs from SIGUSR1 to SIGUSR2: hanging-server.ts SLOW FAST SOCKET SEED.
import { Device, environmentFrom } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { NbdServer } from "@cev/nbd";
import { Random } from "../src/random.ts";
import { HangingLayer } from "./hanging-layer.ts";

const [slow, fast, socket, seed] = process.argv.slice(2);
if (slow === undefined || fast === undefined || socket === undefined || seed === undefined)
  throw new Error("hanging-server.ts SLOW FAST SOCKET SEED");
const environment = environmentFrom(globalThis);
const random = new Random(Number(seed));
const hanging = new HangingLayer(await FileLayer.at(environment, { path: slow }), random);
const devices = [
  await Device.open(hanging, environment),
  await Device.open(await FileLayer.at(environment, { path: fast }), environment),
] as const;
const server = new NbdServer({
  environment,
  // What is beyond them stays unread in the socket, also after its client has gone.
  requestsMax: 4,
  exports: [
    { name: "slow", device: devices[0] },
    { name: "fast", device: devices[1] },
  ],
});
await server.listen({ path: socket });
process.on("SIGUSR1", () => hanging.hang());
process.on("SIGUSR2", () => hanging.goOn());
process.once("SIGTERM", () => {
  void server.close().then(async () => Promise.all(devices.map(async (device) => device.close())));
});
