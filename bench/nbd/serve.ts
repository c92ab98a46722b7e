import { Device, environmentFrom } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";

// One contestant of the NBD bench, a process of its own: a ramdisk over a Unix socket.
const [path, size] = process.argv.slice(2);
const environment = environmentFrom(globalThis);
// Bytes, as nbdkit's memory plugin has them: no partial blocks for anybody.
const layer = new RamdiskLayer(environment, { size: Number(size), blockSize: 1 });
const device = await Device.open(layer, environment, { name: "ram" });
const server = new NbdServer({
  environment,
  exports: [
    { name: "ram", description: "memory", device },
    { name: "read-only", device, isReadOnly: true },
  ],
  onEvent: process.argv.includes("--trace") ? (event): void => console.log(event) : (): void => {},
});
console.log(await server.listen({ path: path! }));
let signalCount = 0;
process.on("SIGTERM", () => {
  signalCount++;
  void server.close({ isForced: signalCount > 1 }).then((report) => {
    console.log(report);
    return device.close();
  });
});
