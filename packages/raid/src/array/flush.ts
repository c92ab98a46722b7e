import { Op } from "@cev/core";
import type { CevError, Collation, CompoundIo, Io } from "@cev/core";
import { degradedError } from "./failure.ts";
import type { RunningArray } from "./running-array.ts";

/**
 * Carries a flush to every member. One that cannot flush may lose what it was given: it is failed, and the flush
 * succeeds once the superblocks of the others say so.
 */
export function flushMembers(array: RunningArray, io: Io): void {
  const compound = array.compounds.over(io, FLUSH_ALL, array);
  for (const member of array.members)
    if (member.takesWrites) compound.add(member.target, Op.flush, 0, 0).tag = member.index;
  compound.submit();
}

const FLUSH_ALL: Collation = {
  name: "flush",
  ended() {},
  merge(compound) {
    merge(compound, compound.context as RunningArray);
  },
};

function merge(compound: CompoundIo, array: RunningArray): void {
  const { io } = compound;
  for (let index = 0; index < compound.subCount; index++) {
    const sub = compound.subs[index]!;
    const { error } = sub.io;
    if (error === null) continue;
    // Cancelled: whoever did that does not expect it to have happened.
    if (error.code === "CEV_CANCELLED") io.error = error;
    else array.failMember(array.members[sub.tag]!, error);
  }
  if (array.isBroken)
    io.error = degradedError(io, array.name, "more members have failed than the parity makes up for");
  if (io.error !== null || array.keeper?.isUpdating !== true) return;
  io.hold();
  array.keeper.whenSettled(settled, io);
}

function settled(error: CevError | null, io: Io): void {
  io.error = error;
  io.resume();
}
