// Serves a RAID1 over two NBD servers, and takes the second back at SIGUSR2: raid-server.ts URI URI SOCKET.
import { Device, environmentFrom, openTree } from "@cev/core";
import { NbdLayer, NbdServer } from "@cev/nbd";
import { RaidLayer, assembleArray } from "@cev/raid";

/** A member that is away for longer has failed. */
const RECONNECT_TIMEOUT_MS = 1000;

const [first, second, socket] = process.argv.slice(2);
if (first === undefined || second === undefined || socket === undefined)
  throw new Error("raid-server.ts URI URI SOCKET");
const environment = environmentFrom(globalThis);
const connect = async (uri: string): Promise<NbdLayer> =>
  NbdLayer.at(environment, { uri, reconnectTimeoutMs: RECONNECT_TIMEOUT_MS });
const members = await Promise.all(
  [first, second].map(async (uri, index) => {
    const layer = await connect(uri);
    await openTree(layer);
    return { name: `member${index}`, layer };
  }),
);
const report = ({ message }: { readonly message: string }): void => console.log(`problem: ${message}`);
const { layer } = await assembleArray({ environment, members, report });
if (!(layer instanceof RaidLayer)) throw new Error("it is being reshaped");
const device = await Device.open(layer, environment);
const server = new NbdServer({ environment, exports: [{ name: "md", device }] });
await server.listen({ path: socket });
let backCount = 0;
process.on("SIGUSR2", () => {
  void connect(second).then(async (back) => {
    const name = `back${backCount++}`;
    // One that failed before it had caught up is not in the bitmap: then all of it is rebuilt.
    await layer.reAddMember(back, name).catch(() => layer.addMember(back, name));
    await layer.idle();
    console.log("re-added");
  });
});
process.once("SIGTERM", () => {
  void server.close().then(async () => {
    await device.close();
    process.exit(0);
  });
});
