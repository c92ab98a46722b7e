// Gives the kernel's NBD client a connection: kernel-link.ts connect|reconnect SOCKET EXPORT INDEX. What nbd-client -persist is to do
// with kernels of today, and no release of it does: put a new connection into the place of one that died.
import { Buffer } from "node:buffer";
import { readSync, writeSync } from "node:fs";
import { NbdAttribute, NbdCommand, ask, attribute, number32, number64 } from "./netlink.ts";

const UNIX = 1;
const STREAM = 1;
const NETLINK = 16;
const RAW = 3;
const GENERIC = 16;
/** A request that a dead connection took is sent again after so long. */
const TIMEOUT_SECONDS = 3;
/** So long the kernel waits for a new connection. */
const DEAD_SECONDS = 60;

interface LibC {
  dlopen(
    library: null,
    functions: {
      readonly [name: string]: { readonly arguments: readonly string[]; readonly return: string };
    },
  ): {
    readonly functions: { readonly [name: string]: (...values: readonly (number | Uint8Array)[]) => number };
  };
}

const { functions } = (process.getBuiltinModule("node:ffi") as LibC).dlopen(null, {
  socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
  connect: { arguments: ["i32", "buffer", "i32"], return: "i32" },
});
const [what, path, exportName, index] = process.argv.slice(2);
const connection = functions["socket"]!(UNIX, STREAM, 0);
const address = Buffer.concat([Buffer.from([UNIX, 0]), Buffer.from(`${path!}\0`)]);
if (functions["connect"]!(connection, address, address.length) !== 0)
  throw new Error(`nobody listens at ${path!}`);
const { size, flags } = shakeHands(exportName!);
const socket = attribute(NbdAttribute.sockets, attribute(1, number32(1, connection)));
const attributes = [number32(NbdAttribute.index, Number(index)), socket];
if (what === "connect")
  attributes.push(
    number64(NbdAttribute.sizeBytes, size),
    number64(NbdAttribute.blockSizeBytes, 512),
    number64(NbdAttribute.serverFlags, flags),
    number64(NbdAttribute.timeoutSeconds, TIMEOUT_SECONDS),
    number64(NbdAttribute.deadConnectionSeconds, DEAD_SECONDS),
  );
// The kernel holds the connection from here on.
const command = what === "connect" ? NbdCommand.connect : NbdCommand.reconfigure;
ask(functions["socket"]!(NETLINK, RAW, GENERIC), "nbd", command, attributes);
console.log(`${what!}ed ${exportName!}: ${size} bytes, flags ${flags}`);

/** The short way: greeting, flags, EXPORT_NAME. */
function shakeHands(name: string): { size: number; flags: number } {
  receive(18);
  const option = Buffer.from(`\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\0${name}`, "latin1");
  option.writeUInt32BE(name.length, 16);
  writeSync(connection, option);
  const told = receive(10);
  return { size: Number(told.readBigUInt64BE(0)), flags: told.readUInt16BE(8) };
}

function receive(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const count = readSync(connection, bytes, at, length - at, null);
    if (count === 0) throw new Error("the server closed the connection");
    at += count;
  }
  return bytes;
}
