import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { ByteReader } from "./byte-reader.ts";

// The NBD protocol's own numbers: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
const IHAVEOPT = 0x49484156454f5054n;
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
const REQUEST_MAGIC = 0x25609513;
const SIMPLE_REPLY_MAGIC = 0x67446698;
const OPT_GO = 7;
const REP_ACK = 1;
const REP_INFO = 3;
const INFO_EXPORT = 0;
const FLAG_FUA = 1;
const EXPORT_HAS_TRIM = 1 << 5;

export const NbdCommand = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, writeZeroes: 6 } as const;

interface Pending {
  readonly readLength: number;
  readonly resolve: (data: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/** An error number that the server answered with. */
export class NbdError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`the server answered with error ${errno}`);
    this.errno = errno;
  }
}

/**
 * A small NBD client with simple replies, written for these tests from the protocol's text alone: it shares no
 * line with the server it speaks to.
 */
export class NbdClient implements AsyncDisposable {
  readonly socket: Socket;
  readonly size: number;
  readonly canTrim: boolean;
  readonly #reader: ByteReader;
  readonly #pending = new Map<bigint, Pending>();
  #cookie = 0n;

  private constructor(socket: Socket, reader: ByteReader, size: number, flags: number) {
    this.socket = socket;
    this.#reader = reader;
    this.size = size;
    this.canTrim = (flags & EXPORT_HAS_TRIM) !== 0;
    void this.#receive();
  }

  static async connect(path: string, exportName: string): Promise<NbdClient> {
    const { socket, reader } = await greet(path);
    const name = Buffer.from(exportName);
    const option = Buffer.alloc(16 + 4 + name.length + 2);
    option.writeBigUInt64BE(IHAVEOPT, 0);
    option.writeUInt32BE(OPT_GO, 8);
    option.writeUInt32BE(4 + name.length + 2, 12);
    option.writeUInt32BE(name.length, 16);
    name.copy(option, 20);
    socket.write(option);
    let size: number | undefined;
    let flags = 0;
    for (;;) {
      const head = await reader.take(20);
      if (head.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC) throw new Error("no option reply");
      const type = head.readUInt32BE(12);
      const data = await reader.take(head.readUInt32BE(16));
      if (type === REP_ACK) break;
      if (type !== REP_INFO)
        throw new Error(`export ${exportName} refused with ${type}: ${data.toString("utf8")}`);
      if (data.readUInt16BE(0) !== INFO_EXPORT) continue;
      size = Number(data.readBigUInt64BE(2));
      flags = data.readUInt16BE(10);
    }
    if (size === undefined) throw new Error("the server told no size");
    return new NbdClient(socket, reader, size, flags);
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.send(NbdCommand.read, { offset, length });
  }

  async write(offset: number, data: Uint8Array, isFua = false): Promise<void> {
    await this.send(NbdCommand.write, { offset, length: data.length, data, isFua });
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.send(NbdCommand.writeZeroes, { offset, length });
  }

  async trim(offset: number, length: number): Promise<void> {
    await this.send(NbdCommand.trim, { offset, length });
  }

  async flush(): Promise<void> {
    await this.send(NbdCommand.flush, { offset: 0, length: 0 });
  }

  /** Says goodbye and closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.socket.destroyed)
      this.socket.end(requestHead(NbdCommand.disconnect, 0n, { offset: 0, length: 0 }));
    await this.#reader.untilEnd();
    this.socket.destroy();
  }

  /** Sends a request with any number for a command. */
  send(command: number, request: Request): Promise<Buffer> {
    const cookie = ++this.#cookie;
    return new Promise((resolve, reject) => {
      this.#pending.set(cookie, {
        readLength: command === NbdCommand.read ? request.length : 0,
        resolve,
        reject,
      });
      this.socket.write(requestHead(command, cookie, request));
      if (request.data !== undefined) this.socket.write(request.data);
    });
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const head = await this.#reader.take(16);
        if (head.readUInt32BE(0) !== SIMPLE_REPLY_MAGIC) throw new Error("no simple reply");
        const cookie = head.readBigUInt64BE(8);
        const pending = this.#pending.get(cookie);
        if (pending === undefined) throw new Error("a reply to nothing");
        this.#pending.delete(cookie);
        const errno = head.readUInt32BE(4);
        if (errno !== 0) pending.reject(new NbdError(errno));
        else pending.resolve(await this.#reader.take(pending.readLength));
      }
    } catch (error) {
      for (const pending of this.#pending.values()) pending.reject(error as Error);
      this.#pending.clear();
      this.socket.destroy();
    }
  }
}

interface Request {
  readonly offset: number;
  readonly length: number;
  readonly data?: Uint8Array;
  readonly isFua?: boolean;
}

/** The 28 bytes in front of a request. */
export function requestHead(
  command: number,
  cookie: bigint,
  { offset, length, isFua = false }: Request,
): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(REQUEST_MAGIC, 0);
  head.writeUInt16BE(isFua ? FLAG_FUA : 0, 4);
  head.writeUInt16BE(command, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  return head;
}

/** Connects, and goes through the greeting: both sides know fixed newstyle, and no zeroes at the end of it. */
export async function greet(path: string): Promise<{ socket: Socket; reader: ByteReader }> {
  const socket = createConnection(path);
  const reader = new ByteReader(socket);
  const greeting = await reader.take(18);
  if (greeting.toString("latin1", 0, 16) !== "NBDMAGICIHAVEOPT") throw new Error("not an NBD server");
  const flags = Buffer.alloc(4);
  flags.writeUInt32BE(greeting.readUInt16BE(16) & 3, 0);
  socket.write(flags);
  return { socket, reader };
}
