import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { TransportUser } from "./transport.ts";

/** Copies what a paused socket receives into the user's memory. */
export function copyingSocket(socket: Socket, user: TransportUser): Socket {
  socket.on("data", (chunk: Buffer) => {
    let isReady = true;
    for (let at = 0; at < chunk.length;) {
      if (!isReady) {
        // The user has had enough: the rest waits in the socket.
        socket.pause();
        socket.unshift(chunk.subarray(at));
        return;
      }
      const room = user.receiveInto();
      const part = chunk.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      isReady = user.received(part.length);
    }
    if (!isReady) socket.pause();
  });
  return socket;
}
