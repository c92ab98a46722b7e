import type { FileHandle } from "node:fs/promises";
import {
  FULL_SUPPORT,
  IoFlag,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  ioError,
  plainLimits,
  refuse,
  runOf,
} from "@cev/core";
import type { CevError, Environment, Io, LayerDescription, Limits, Run, Support } from "@cev/core";
import { findCachedReader } from "./cached-reader.ts";
import type { CachedReader } from "./cached-reader.ts";
import { systemCalls } from "./file-calls.ts";
import type { FileCalls } from "./file-calls.ts";
import { codeOfErrno, missingFile, refusedFile } from "./file-errors.ts";
import { inspectFile } from "./file-facts.ts";
import type { FileFacts } from "./file-facts.ts";
import type { FileLayerSettings } from "./file-layer-settings.ts";
import { lockFile } from "./file-lock.ts";
import type { FileLock, LockScope } from "./file-lock.ts";
import { FileRequest } from "./file-request.ts";
import type { RequestOwner } from "./file-request.ts";
import { bareFileRuns, fileRuns } from "./file-runs.ts";
import { findHoleFinder } from "./hole-finder.ts";
import type { HoleFinder } from "./hole-finder.ts";
import { findHolePuncher } from "./hole-puncher.ts";
import type { HolePuncher } from "./hole-puncher.ts";
import { openFile } from "./open-file.ts";
import { checkFileOptions } from "./options.ts";
import type { FileOptions } from "./options.ts";
import { platformCalls } from "./platform-calls.ts";
import { RequestQueue } from "./request-queue.ts";
import { SyncGroup } from "./sync-group.ts";

const QUEUE_DEPTH_DEFAULT = 16;
const GATHERED_COUNT_MAX = 64;
const GATHERED_LENGTH_MAX = 1024 * 1024;
// The system moves at most 2 GiB less a page per call.
const CALL_LENGTH_MAX = 1024 * 1024 * 1024;
const RETRY_DELAY_MS = 1;
// Punching runs on the main thread: a long range gives others their turn in between.
const ERASE_LENGTH_MAX = 64 * 1024 * 1024;
const ZEROES = new Uint8Array(256 * 1024);

/** FUA is a write and a sync. */
const WRITABLE_SUPPORT: Support = { ...FULL_SUPPORT, fua: "emulated" };
const WITHOUT_HOLES: Support = { ...WRITABLE_SUPPORT, discard: "none", writeZeroes: "none" };

/** A regular file or a block device. Whatever may wait for a device goes to the thread pool of Node: nothing blocks that was not let. */
export class FileLayer extends LayerBase implements RequestOwner {
  readonly name = "file";
  readonly path: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly isReadOnly: boolean;
  /** Bytes after the last whole block, out of reach. */
  readonly bytesIgnored: number;
  readonly #environment: Environment;
  readonly #options: FileOptions;
  readonly #facts: FileFacts | null;
  readonly #ownCalls: FileCalls | null;
  readonly #cached: CachedReader | null;
  #calls: FileCalls;
  readonly #queueDepthMax: number;
  readonly #waiting = new RequestQueue();
  readonly #free: FileRequest[] = [];
  readonly #syncs: SyncGroup;
  readonly #holes: HolePuncher | null;
  readonly #finder: HoleFinder | null;
  #canTellHoles = false;
  #inFlightCount = 0;
  #underWayCount = 0;
  #isStarting = false;
  /** Somebody closes the file, and waits until every request has ended. */
  #idle: PromiseWithResolvers<void> | null = null;
  #handle: FileHandle | null = null;
  #fd = -1;
  #lock: FileLock | null = null;

  /** Use `FileLayer.at`. */
  private constructor(
    environment: Environment,
    options: FileOptions,
    facts: FileFacts | null,
    settings: FileLayerSettings,
  ) {
    super();
    const size = facts?.size ?? options.size ?? 0;
    const logicalBlockSize = facts?.logicalBlockSize ?? 512;
    this.path = options.path;
    this.isReadOnly = options.readOnly === true;
    this.bytesIgnored = size % logicalBlockSize;
    const physicalBlockSize = facts?.physicalBlockSize ?? 4096;
    this.limits = plainLimits(size - this.bytesIgnored, {
      ...{ logicalBlockSize, physicalBlockSize, discardGranularity: physicalBlockSize },
    });
    this.#holes = this.isReadOnly ? null : settings.holes === undefined ? findHolePuncher() : settings.holes;
    // Other calls may keep to themselves what the file does not have yet.
    const hasOwnCalls = settings.calls !== undefined;
    this.#finder = settings.finder === undefined ? (hasOwnCalls ? null : findHoleFinder()) : settings.finder;
    this.support = this.isReadOnly
      ? READ_ONLY_SUPPORT
      : this.#holes === null
        ? WITHOUT_HOLES
        : WRITABLE_SUPPORT;
    this.#environment = environment;
    this.#options = options;
    this.#facts = facts;
    this.#ownCalls = settings.calls ?? null;
    this.#cached = settings.cached === undefined ? findCachedReader() : settings.cached;
    this.#calls = systemCalls;
    this.#syncs = new SyncGroup(this.name, (request) => this.release(request));
    this.#queueDepthMax = settings.queueDepthMax ?? QUEUE_DEPTH_DEFAULT;
  }

  /**
   * The layer of a file, after a look at it; nothing is opened yet, or made. Throws `CEV_NOT_FOUND`, `CEV_ACCESS`, or
   * `CEV_INVALID` for what holds no blocks and for options that do not fit the file.
   */
  static async at(
    environment: Environment,
    options: FileOptions,
    settings: FileLayerSettings = {},
  ): Promise<FileLayer> {
    checkFileOptions(options);
    const { path, create, size } = options;
    const facts = await inspectFile(path);
    if (facts === null && create !== true) {
      throw missingFile(path, options.readOnly === true);
    }
    if (facts !== null && size !== undefined && facts.size !== size) {
      const message = `has ${facts.size} bytes, not ${size}`;
      throw refusedFile("CEV_INVALID", path, message, "leave size out, or resize the file");
    }
    return new FileLayer(environment, options, facts, settings);
  }

  /** How far the claim reaches while the file is open for writing; null when it is not. */
  get lockScope(): LockScope | null {
    return this.#lock?.scope ?? null;
  }

  override async open(): Promise<void> {
    const newSize = this.#facts === null ? this.limits.size : null;
    const isBlockDevice = this.#facts?.isBlockDevice === true;
    const handle = await openFile(this.path, { isReadOnly: this.isReadOnly, isBlockDevice, newSize });
    try {
      // Between the look and the opening another file may have taken the path.
      const facts = await inspectFile(this.path);
      const hasChanged = this.#facts !== null && facts?.identity !== this.#facts.identity;
      if (facts === null || hasChanged || facts.size < this.limits.size) {
        throw refusedFile("CEV_IO", this.path, "was replaced or cut short while it was being opened");
      }
      const { clock } = this.#environment;
      this.#calls = this.#ownCalls ?? platformCalls(facts, { clock, cached: this.#cached, ...this.#options });
      this.#canTellHoles = facts.canTellHoles;
      if (!this.isReadOnly) this.#lock = await lockFile(handle.fd, facts.identity, this.path);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    this.#fd = handle.fd;
    this.#syncs.begin(handle.fd, this.#calls);
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#enter(io);
      case Op.write:
        if (this.isReadOnly) return io.fail("CEV_READ_ONLY", "the file is open read-only", this.name);
        return this.#enter(io);
      case Op.flush:
        if (this.isReadOnly) return refuse(io, this);
        return this.#syncs.add(this.#begin(io));
      case Op.discard:
      case Op.writeZeroes:
        if (this.#holes === null) return refuse(io, this);
        return this.#enter(io);
      default:
        return refuse(io, this);
    }
  }

  /** Holes of a regular file, where its file system can be believed. A block device, and what nobody can tell, is data. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    if (this.#fd < 0 || !this.#canTellHoles) return runOf("data", length);
    const range = { offset, length, countMax };
    if (this.#finder !== null) return fileRuns(this.#finder, this.#fd, range);
    return this.#ownCalls === null ? bareFileRuns(this.#fd, range) : runOf("data", length);
  }

  /**
   * Waits for what is under way: a layer above that could not be closed may have left something behind, and the number of a file that is
   * closed may be another file's when the system gets to it.
   */
  override async close(): Promise<void> {
    if (this.#inFlightCount > 0) await (this.#idle ??= Promise.withResolvers()).promise;
    this.#lock?.release();
    this.#lock = null;
    this.#fd = -1;
    await this.#handle?.close();
    this.#handle = null;
  }

  describe(): LayerDescription {
    return { driver: "@cev/hw-file", options: { ...this.#options }, lowers: [] };
  }

  /** @internal A system call has ended. */
  callEnded(request: FileRequest, error: NodeJS.ErrnoException | null, count: number): void {
    this.#underWayCount--;
    if (request.io === null && request.gathered.length === 0) this.release(request);
    else if (request.gathered.length > 0) this.#shareOut(request, error, count);
    else this.#partEnded(request, error, count);
    this.#startWaiting();
  }

  /** @internal */
  release(request: FileRequest): void {
    request.state = "free";
    this.#free.push(request);
  }

  /** @internal */
  left(): void {
    if (--this.#inFlightCount > 0 || this.#idle === null) return;
    this.#idle.resolve();
    this.#idle = null;
  }

  #begin(io: Io): FileRequest {
    const request = this.#free.pop() ?? new FileRequest(this);
    this.#inFlightCount++;
    request.begin(io);
    return request;
  }

  #enter(io: Io): void {
    const request = this.#begin(io);
    if (this.#underWayCount < this.#queueDepthMax) this.#start(request);
    else this.#waiting.push(request);
  }

  #startWaiting(): void {
    // A call that ends before it returns comes here once more: the loop below goes on anyway.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      while (this.#underWayCount < this.#queueDepthMax) {
        const request = this.#waiting.shift();
        if (request === null) return;
        if (request.state === "ended") {
          this.release(request);
          continue;
        }
        this.#gather(request);
        this.#start(request);
      }
    } finally {
      this.#isStarting = false;
    }
  }

  /** Takes along the requests behind this one that go on where it ends: one call serves them all. */
  #gather(first: FileRequest): void {
    const { op, offset, length } = first.io!;
    if (op !== Op.read && op !== Op.write) return;
    let end = offset + length;
    while (first.gathered.length < GATHERED_COUNT_MAX) {
      const next = this.#waiting.first();
      if (next?.state !== "waiting") break;
      const io = next.io!;
      if (io.op !== op || io.offset !== end || end + io.length - offset > GATHERED_LENGTH_MAX) break;
      this.#waiting.shift();
      if (first.gathered.length === 0) first.gathered.push(first);
      first.gathered.push(next);
      end += io.length;
    }
  }

  #start(request: FileRequest): void {
    const { op, offset, length, data, dataOffset } = request.io!;
    this.#underWayCount++;
    request.state = "underWay";
    if (op === Op.discard || op === Op.writeZeroes) return this.#erase(request, request.io!);
    if (request.gathered.length > 0) return this.#startGathered(request);
    const { done } = request;
    const part = Math.min(length - done, CALL_LENGTH_MAX);
    if (op === Op.read)
      this.#calls.read(this.#fd, data, dataOffset + done, part, offset + done, request.ended);
    else this.#calls.write(this.#fd, data, dataOffset + done, part, offset + done, request.ended);
  }

  /** Punches the next part of a range. Where that cannot be done, a discard may do nothing, and zeroes are written. */
  #erase(request: FileRequest, io: Io): void {
    const offset = io.offset + request.done;
    const part = Math.min(io.length - request.done, ERASE_LENGTH_MAX);
    const isAllocated = io.op === Op.writeZeroes && (io.flags & IoFlag.noHole) !== 0;
    const holes = this.#holes!;
    const hasErased =
      !request.mustWrite &&
      (isAllocated ? holes.zero(this.#fd, offset, part) : holes.punch(this.#fd, offset, part));
    if (hasErased || io.op === Op.discard) {
      this.#environment.later(() => this.callEnded(request, null, part));
      return;
    }
    if (request.done === 0 && (io.flags & IoFlag.fastZero) !== 0) {
      this.#underWayCount--;
      request.state = "done";
      return io.fail("CEV_NOT_SUPPORTED", "zeroes cannot be written faster than data here", this.name);
    }
    request.mustWrite = true;
    this.#calls.write(this.#fd, ZEROES, 0, Math.min(part, ZEROES.length), offset, request.ended);
  }

  #startGathered(first: FileRequest): void {
    const parts = first.gathered.map(({ io }) => {
      const { data, dataOffset, length } = io!;
      return new Uint8Array(data.buffer, data.byteOffset + dataOffset, length);
    });
    for (const request of first.gathered) request.state = "underWay";
    const { op, offset } = first.io!;
    if (op === Op.read) this.#calls.readv(this.#fd, parts, offset, first.ended);
    else this.#calls.writev(this.#fd, parts, offset, first.ended);
  }

  /** A call for several requests has ended: each has its share, and those that fell short go on alone. */
  #shareOut(first: FileRequest, error: NodeJS.ErrnoException | null, count: number): void {
    const requests = first.gathered.splice(0);
    // Of one that somebody else completed the length is not known any more: the others go alone.
    let left = error === null && requests.every(({ io }) => io !== null) ? count : 0;
    for (const request of requests) {
      if (request.io === null) {
        this.release(request);
        continue;
      }
      const share = Math.min(left, request.io.length);
      left -= share;
      // One that got nothing, perhaps because another one failed, finds out by itself.
      if (share === 0) this.#start(request);
      else this.#partEnded(request, null, share);
    }
  }

  #partEnded(request: FileRequest, error: NodeJS.ErrnoException | null, count: number): void {
    const io = request.io!;
    if (error !== null) return this.#callFailed(request, io, error);
    request.done += count;
    if (request.done === io.length) return this.#allDone(request, io);
    if (count === 0) {
      const at = io.offset + request.done;
      const message =
        io.op === Op.read ? `the file ends at byte ${at}` : `nothing could be written at byte ${at}`;
      return this.#fail(request, ioError(io, "CEV_IO", message, this.name));
    }
    if (io.isCancelRequested) {
      return this.#fail(request, ioError(io, "CEV_CANCELLED", "cancelled half-way", this.name));
    }
    this.#start(request);
  }

  #callFailed(request: FileRequest, io: Io, error: NodeJS.ErrnoException): void {
    if (error.code === "EINTR") return this.#start(request);
    if (error.code === "EAGAIN") {
      // Its place stays taken, so that the device is not asked ever more often.
      this.#underWayCount++;
      this.#environment.clock.after(RETRY_DELAY_MS, () => {
        this.#underWayCount--;
        if (request.io !== null) return this.#start(request);
        this.release(request);
        this.#startWaiting();
      });
      return;
    }
    const code = codeOfErrno(error.code, io.op);
    this.#fail(
      request,
      ioError(io, code, `the system says ${error.code ?? error.message}`, this.name, error),
    );
  }

  #fail(request: FileRequest, error: CevError): void {
    const io = request.io!;
    io.transferred = request.done;
    request.state = "done";
    io.complete(error);
  }

  #allDone(request: FileRequest, io: Io): void {
    if (io.op !== Op.read && (io.flags & IoFlag.fua) !== 0) return this.#syncs.add(request);
    request.state = "done";
    io.complete();
  }
}
