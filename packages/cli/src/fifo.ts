import { constants, open } from "node:fs";
import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";

// Plain descriptors: a file handle that nobody holds any more would be closed below the socket.
const openDescriptor = promisify(open);
const POLL_MS = 50;

/** True for a named pipe, and for a pipe that is named as a file, such as `/dev/stdin`. */
export async function isFifo(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => null);
  return facts?.isFIFO() === true;
}

/**
 * Opens a FIFO to read from it. To open it as a file would block a thread until somebody writes, and Node could not even exit
 * meanwhile; this way it is the first read that waits.
 */
export async function openFifoInput(path: string): Promise<Socket> {
  const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}

/** Opens a FIFO to write to it, once somebody reads. */
export async function openFifoOutput(path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    try {
      const fd = await openDescriptor(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      // "No such device or address": there is no reader yet, and nothing that would tell of one.
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
    }
    await wait(POLL_MS, undefined, { signal });
  }
}
