import { fdatasync, read, readv, write, writev } from "node:fs";

/** How a call ends: an error of the system, or how many bytes were moved. */
export type CallEnded = (error: NodeJS.ErrnoException | null, count: number) => void;

/** The system calls of the data path, as in `node:fs`. Handed in, so that a test can make them fail or fall short. */
export interface FileCalls {
  read(fd: number, data: Uint8Array, at: number, length: number, offset: number, ended: CallEnded): void;
  write(fd: number, data: Uint8Array, at: number, length: number, offset: number, ended: CallEnded): void;
  readv(fd: number, parts: readonly Uint8Array[], offset: number, ended: CallEnded): void;
  writev(fd: number, parts: readonly Uint8Array[], offset: number, ended: CallEnded): void;
  fdatasync(fd: number, ended: (error: NodeJS.ErrnoException | null) => void): void;
}

/** Those of the system itself. */
export const systemCalls: FileCalls = { read, write, readv, writev, fdatasync };
