import { createConnection } from "node:net";

/**
 * Somebody who connects every so often, goes a different way into the protocol each time, and is gone in the middle of it.
 * Gives how often, when it is stopped.
 */
export function disturb(path: string, everyMs: number): { stop(): number } {
  let count = 0;
  const timer = setInterval(() => {
    const socket = createConnection(path);
    const cut = count++ % MESSAGES.length;
    socket.on("error", () => undefined);
    socket.on("connect", () => {
      socket.write(Buffer.concat(MESSAGES.slice(0, cut + 1)));
      // With a write under way, or a read whose answer nobody takes.
      setTimeout(() => socket.destroy(), everyMs / 2);
    });
  }, everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      return count;
    },
  };
}

function message(length: number, fill: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(length);
  fill(bytes);
  return bytes;
}

const option = (type: number, data: Buffer): Buffer =>
  message(16 + data.length, (bytes) => {
    bytes.write("IHAVEOPT");
    bytes.writeUInt32BE(type, 8);
    bytes.writeUInt32BE(data.length, 12);
    data.copy(bytes, 16);
  });

/** Reads, which leave the disk as it is for whoever checks it. */
const read = (length: number): Buffer =>
  message(28, (bytes) => {
    bytes.writeUInt32BE(0x25609513, 0);
    bytes.writeUInt32BE(length, 24);
  });

const MESSAGES: readonly Buffer[] = [
  message(4, (bytes) => bytes.writeUInt32BE(3)),
  option(8, Buffer.alloc(0)),
  option(7, Buffer.alloc(6)),
  read(4096),
  read(8_388_608),
  read(8_388_608).subarray(0, 13),
];
