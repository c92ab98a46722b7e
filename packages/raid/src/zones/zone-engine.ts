import { CompoundIoPool, IoFlag, Op, concatenate, ioError, refuse } from "@cev/core";
import type { CevError, Collation, Io, Run, SubmitTarget } from "@cev/core";
import { readFailureOf } from "../array/failure.ts";
import { preferredOf } from "../array/member-support.ts";
import type { Member } from "../array/member.ts";
import type { Personality } from "../array/personality.ts";
import type { RunningArray } from "../array/running-array.ts";
import type { ByteRange } from "../array/unsynced-ranges.ts";
import { ZoneMap, ZonePlace } from "../levels/zone-map.ts";
import { zoneExtents } from "./zone-extents.ts";
import { memberRuns } from "./zone-runs.ts";

/** One request on its way to its member. Context of the request's action; used again and again. */
class ZoneRequest {
  readonly engine: ZoneEngine;
  offset = 0.5;
  member: Member | null = null;

  constructor(engine: ZoneEngine) {
    this.engine = engine;
  }

  /** For those who watch. */
  get name(): string {
    return this.member?.name ?? this.engine.name;
  }
}

/**
 * Linear and RAID0: every byte lies on one member. What lies in one piece goes down as the same `Io`; reads and writes
 * that are longer are split, and discards and zeroes are gathered into a few requests for each member.
 */
export class ZoneEngine implements Personality, SubmitTarget {
  readonly name: string;
  readonly array: RunningArray;
  readonly map: ZoneMap;
  readonly size: number;
  readonly ioLengthPreferred: number;
  readonly syncSize = 0;
  readonly syncStep = 4096;
  readonly hasDiscard: boolean;
  readonly hasWriteZeroes: boolean;
  readonly #parts: CompoundIoPool;
  readonly #free: ZoneRequest[] = [];
  readonly #place = new ZonePlace();

  constructor(array: RunningArray) {
    const { geometry, members } = array;
    this.name = array.name;
    this.array = array;
    this.map = new ZoneMap(geometry);
    this.size = this.map.size;
    const widest = Math.max(...this.map.zones.map((zone) => zone.members.length));
    this.ioLengthPreferred = widest === 1 ? preferredOf(members) : geometry.chunkSize * widest;
    this.hasDiscard = array.native.discard;
    this.hasWriteZeroes = array.native.writeZeroes;
    this.#parts = new CompoundIoPool(array);
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
        return this.#submitData(io);
      case Op.discard:
        if (!this.hasDiscard) return refuse(io, this);
        return this.#submitRuns(io);
      case Op.writeZeroes:
        if (!this.hasWriteZeroes) return refuse(io, this);
        return this.#submitRuns(io);
      default:
        return refuse(io, this);
    }
  }

  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return zoneExtents(this.map, this.array.members, { offset, length, countMax });
  }

  syncSlice(): Promise<number> {
    return Promise.resolve(0);
  }

  recoverSlice(): Promise<void> {
    return Promise.resolve();
  }

  syncRangesOf(): readonly ByteRange[] {
    return [];
  }

  /** @internal The member has answered. */
  ended(io: Io, request: ZoneRequest): void {
    io.offset = request.offset;
    this.#free.push(request);
    if (io.error !== null) io.error = this.errorOf(io, request.member!, io.error);
  }

  /** @internal The error of a request whose member failed it: says which. One that is lost takes no further part. */
  errorOf(io: Io, member: Member, error: CevError): CevError {
    const failure = readFailureOf(error);
    if (failure === "request" && !isOfDevice(error)) return error;
    if (failure === "lost") this.array.failMember(member, error);
    return ioError(io, error.code, `${member.name}: ${error.message}`, this.name, error);
  }

  #submitData(io: Io): void {
    const place = this.map.locate(io.offset, this.#place);
    if (io.length <= place.length) return this.#submitTo(io, place);
    const compound = this.#parts.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const length = Math.min(this.map.locate(io.offset + at, this.#place).length, io.length - at);
      compound.add(this, io.op, io.offset + at, length, io.data, io.dataOffset + at, io.flags);
      at += length;
    }
    compound.submit();
  }

  #submitTo(io: Io, { memberIndex, memberOffset }: ZonePlace): void {
    const member = this.array.members[memberIndex]!;
    if (!member.takesWrites) return io.complete(this.#lostError(io, member));
    const request = this.#free.pop() ?? new ZoneRequest(this);
    request.offset = io.offset;
    request.member = member;
    io.pushAction(answered, request);
    io.offset = member.dataStart + memberOffset;
    member.target.submit(io);
  }

  /** Discards and zeroes. */
  #submitRuns(io: Io): void {
    const compound = this.#parts.over(io, RUNS, this);
    for (const run of memberRuns(this.map, io.offset, io.length)) {
      const member = this.array.members[run.member]!;
      const target = member.takesWrites ? member.target : this.#lostTarget(member);
      const sub = compound.add(target, io.op, member.dataStart + run.start, run.end - run.start);
      sub.io.flags = io.flags & (IoFlag.fua | IoFlag.noHole | IoFlag.fastZero);
      sub.tag = run.member;
    }
    compound.submit();
  }

  #lostTarget(member: Member): SubmitTarget {
    return { name: member.name, submit: (io) => io.complete(this.#lostError(io, member)) };
  }

  #lostError(io: Io, member: Member): CevError {
    return ioError(io, "CEV_DEVICE_LOST", `${member.name} is ${member.state}`, this.name);
  }
}

/** All that the members do of one request. */
const RUNS: Collation = {
  name: "all members",
  ended: null,
  merge(compound) {
    const { io } = compound;
    const engine = compound.context as ZoneEngine;
    for (let index = compound.subCount - 1; index >= 0; index--) {
      const { tag, io: part } = compound.subs[index]!;
      if (part.error === null) continue;
      io.error = engine.errorOf(io, engine.array.members[tag]!, part.error);
      io.transferred = 0;
    }
  },
};

/** It says nothing about the member's state, but the user wants to know which one it was. */
function isOfDevice({ code }: CevError): boolean {
  return code === "CEV_NO_SPACE" || code === "CEV_READ_ONLY" || code === "CEV_ACCESS";
}

function answered(io: Io, request: ZoneRequest): void {
  request.engine.ended(io, request);
}
