import { Buffer } from "node:buffer";
import { readSync, writeSync } from "node:fs";

// linux/netlink.h, linux/genetlink.h, linux/nbd-netlink.h.
const CONTROL_FAMILY = 0x10;
const GET_FAMILY = 3;
const FAMILY_ID = 1;
const FAMILY_NAME = 2;
const IS_REQUEST = 1;
const WANTS_ACK = 4;
const ERROR_MESSAGE = 2;
const HEADS_LENGTH = 20;

/** Attributes of the kernel's NBD family. */
export const NbdAttribute = {
  index: 1,
  sizeBytes: 2,
  blockSizeBytes: 3,
  timeoutSeconds: 4,
  serverFlags: 5,
  sockets: 7,
  deadConnectionSeconds: 8,
} as const;
export const NbdCommand = { connect: 1, reconfigure: 3 } as const;

/** One attribute: its length and type, then its value, to a multiple of four bytes. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

export function number32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return attribute(type, bytes);
}

export function number64(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return attribute(type, bytes);
}

/** Asks a family of the kernel for something over a generic netlink socket, and throws with the error number if it does not do it. */
export function ask(
  netlink: number,
  familyName: string,
  command: number,
  attributes: readonly Buffer[],
): void {
  const name = attribute(FAMILY_NAME, Buffer.from(`${familyName}\0`));
  const told = exchange(netlink, CONTROL_FAMILY, GET_FAMILY, [name], false);
  exchange(netlink, familyId(told), command, attributes, true);
}

/** The answer's attributes; of one that is an acknowledgement, nothing. */
function exchange(
  netlink: number,
  family: number,
  command: number,
  attributes: readonly Buffer[],
  wantsAck: boolean,
): Buffer {
  const heads = Buffer.alloc(HEADS_LENGTH);
  const message = Buffer.concat([heads, ...attributes]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(family, 4);
  message.writeUInt16LE(IS_REQUEST | (wantsAck ? WANTS_ACK : 0), 6);
  message.writeUInt8(command, 16);
  message.writeUInt8(1, 17);
  writeSync(netlink, message);
  const answer = Buffer.alloc(8192);
  for (;;) {
    const length = readSync(netlink, answer);
    if (answer.readUInt16LE(4) === ERROR_MESSAGE) {
      const errno = -answer.readInt32LE(16);
      if (errno !== 0) throw new Error(`the kernel refused command ${command} with error ${errno}`);
      return Buffer.alloc(0);
    }
    // With an acknowledgement to come this is an answer that nobody looks at.
    if (!wantsAck) return answer.subarray(HEADS_LENGTH, length);
  }
}

function familyId(attributes: Buffer): number {
  for (let at = 0; at + 4 <= attributes.length; at += (attributes.readUInt16LE(at) + 3) & ~3)
    if (attributes.readUInt16LE(at + 2) === FAMILY_ID) return attributes.readUInt16LE(at + 4);
  throw new Error("the kernel has no such family");
}
