/**
 * Serves an image file over NBD until it is killed.
 *
 *     node member-server.ts IMAGE SOCKET
 */
import { Device, environmentFrom } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { NbdServer } from "@cev/nbd";

const [image, socket] = process.argv.slice(2);
if (image === undefined || socket === undefined) throw new Error("member-server.ts IMAGE SOCKET");
const environment = environmentFrom(globalThis);
const device = await Device.open(await FileLayer.at(environment, { path: image }), environment);
const server = new NbdServer({ environment, exports: [{ name: "", device }] });
// The socket file that a server which was killed has left is replaced.
await server.listen({ path: socket, mode: 0o600 });
process.stdout.write("ready\n");
