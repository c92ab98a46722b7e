import { CompoundIoPool, Io, IoError, Op } from "../src/index.ts";
import type { Collation, CompoundIo } from "../src/index.ts";
import { MemoryLayer, Turns, newQueue } from "./support.ts";

export const BLOCK = 512;

/** Cuts an Io into blocks over several members in turn. */
export function stripe(
  pool: CompoundIoPool,
  members: readonly MemoryLayer[],
  io: Io,
  collation: Collation,
): CompoundIo {
  const compound = pool.over(io, collation);
  for (let at = 0; at < io.length; at += BLOCK) {
    const member = members[(at / BLOCK) % members.length]!;
    compound.add(member, io.op, io.offset + at, BLOCK, io.data, io.dataOffset + at);
  }
  compound.submit();
  return compound;
}

export function setUp(memberCount = 2): {
  members: MemoryLayer[];
  pool: CompoundIoPool;
  io: Io;
  turns: Turns;
} {
  const members = Array.from(
    { length: memberCount },
    (_, index) => new MemoryLayer(65_536, { name: `m${index}` }),
  );
  members.forEach((member, index) => member.bytes.fill(index + 1));
  const turns = new Turns();
  const io = new Io(newQueue(turns)).prepare(Op.read, 0, 4 * BLOCK, new Uint8Array(4 * BLOCK));
  return { members, pool: new CompoundIoPool({ name: "striper" }), io, turns };
}

export const failing = (code: "CEV_IO" | "CEV_MEDIUM" = "CEV_IO"): IoError => new IoError(code, "broken");
