// Serves a file under a volatile cache: volatile-server.ts FILE SOCKET SEED.
import { Device, environmentFrom } from "@cev/core";
import { NbdServer } from "@cev/nbd";
import { Random } from "../src/random.ts";
import { VolatileDisk } from "./volatile-disk.ts";

const [file, socket, seed] = process.argv.slice(2);
if (file === undefined || socket === undefined || seed === undefined)
  throw new Error("volatile-server.ts FILE SOCKET SEED");
const environment = environmentFrom(globalThis);
// Each life of the server has its own luck.
const random = new Random(Number(seed) ^ process.pid);
const device = await Device.open(new VolatileDisk(environment, file, random), environment);
const server = new NbdServer({ environment, exports: [{ name: "disk", device }] });
await server.listen({ path: socket });
process.once("SIGTERM", () => {
  void server.close().then(async () => device.close());
});
