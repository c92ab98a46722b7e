import { CevError, EventState, LayerBase, Op, isCevError, narrowSupport, refuse } from "@cev/core";
import type {
  BurstUser,
  Details,
  Environment,
  Io,
  Layer,
  LayerDescription,
  Limits,
  PoolBuffer,
  Run,
  Support,
  WaitEntry,
} from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import type { CryptSegment } from "../header/luks-volume.ts";
import { PARTS_LENGTH_MAX, PART_LENGTH_MAX, createSectorCipher } from "../cipher/sector-cipher.ts";
import type { CryptBackend, SectorCipher } from "../cipher/sector-cipher.ts";
import { limitsOf } from "./layer-limits.ts";
import { ReadGroup } from "./read-group.ts";
import { WriteGroup } from "./write-group.ts";
import { WaitingWrites, WriteRequest } from "./write-request.ts";

/** Settings of a `CryptLayer`. */
export interface CryptLayerOptions {
  readonly environment: Environment;
  /** Where the encrypted data lies, and how it is encrypted. */
  readonly segment: CryptSegment;
  /**
   * Initialization vectors count sectors of `segment.sectorSize`, not of 512 bytes (dm-crypt's iv_large_sectors); `segment.ivTweak` counts 512
   * bytes all the same. Default false.
   */
  readonly hasLargeIvs?: boolean;
  /** A detached header, for `describe` alone. */
  readonly headerLayer?: Layer | null;
  /** The caller wipes it once the constructor has returned. */
  readonly volumeKey: Uint8Array;
  /** Let discards through: they show which sectors are unused to whoever sees the lower device. Default false. */
  readonly allowDiscards?: boolean;
  /** Refuse everything that writes. Default false. */
  readonly isReadOnly?: boolean;
  /** How OpenSSL is called. "ffi", which is faster, is experimental as `node:ffi` is; where it cannot be had it means "openssl". Default "openssl". */
  readonly backend?: CryptBackend;
  /** What `describe` says of the driver's options, from which a stack is built again. Never a secret. */
  readonly describedOptions?: Details;
}

// Writes under way have so much memory at most, and one more: of a request to write zeroes, which may be gigabytes long, a part at a time.
const WRITING_LENGTH_MAX = 32 * 1024 * 1024;

// Over a device that works on while the next writes are encrypted, fewer are encrypted at a time.
const LATER_LENGTH_MAX = 16_384;

/** Shows the plaintext of an encrypted segment of the layer below. */
export class CryptLayer extends LayerBase implements BurstUser {
  readonly name = "crypt";
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #start: number;
  readonly #firstUnit: number;
  /** Bytes that the number in an initialization vector counts. */
  readonly #ivUnitLength: number;
  readonly #headerLayer: Layer | null;
  readonly #sectorSize: number;
  readonly #describedOptions: Details;
  readonly #cipher: SectorCipher;
  /** Short reads of the burst that is on. */
  readonly #reads: ReadGroup;
  // A buffer of the longest write that only this layer uses: whatever else fills the pool, one write goes on.
  #reserve: PoolBuffer | null = null;
  #isReserveFree = false;
  /** Bytes of memory, the reserve not counted, that writes under way have. */
  #writingLength = 0;
  #roomEntry: WaitEntry | null = null;
  readonly #waiting = new WaitingWrites();
  readonly #freeRequests: WriteRequest[] = [];
  /** Short writes of the burst that is on. */
  #group: WriteGroup | null = null;
  #groupLengthMax: number = PARTS_LENGTH_MAX;
  readonly #freeGroups: WriteGroup[] = [];

  /** Throws `CEV_UNKNOWN_FEATURE` for a cipher that is not known here, `CEV_INVALID` for one that begins within a block of the lower. */
  constructor(lower: Layer, options: CryptLayerOptions) {
    super([lower]);
    const { environment, segment, volumeKey } = options;
    const spec = parseCipher(segment.encryption, volumeKey.length);
    this.limits = limitsOf(lower, environment, segment);
    const isReadOnly = options.isReadOnly ?? false;
    const allowDiscards = options.allowDiscards ?? false;
    this.support = narrowSupport(
      lower.support,
      isReadOnly
        ? ["read"]
        : ["read", "write", "flush", "fua", ...(allowDiscards ? ["discard" as const] : [])],
    );
    this.#lower = lower;
    this.#environment = environment;
    this.#start = segment.offset;
    this.#headerLayer = options.headerLayer ?? null;
    this.#ivUnitLength = options.hasLargeIvs === true ? segment.sectorSize : 512;
    this.#firstUnit = segment.ivTweak / (this.#ivUnitLength / 512);
    this.#sectorSize = segment.sectorSize;
    this.#describedOptions = options.describedOptions ?? {};
    this.#cipher = createSectorCipher(spec, volumeKey, environment.buffers, {
      unitLength: segment.sectorSize,
      sectorStep: segment.sectorSize / this.#ivUnitLength,
      backend: options.backend ?? "openssl",
    });
    this.#reads = new ReadGroup(this.#cipher, environment.burst);
  }

  override async open(): Promise<void> {
    await super.open();
    try {
      this.#cipher.open();
      this.#reserve = this.#environment.buffers.acquire(this.limits.ioLengthMax);
      this.#isReserveFree = true;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        io.pushAction(finishRead, this);
        break;
      case Op.write:
        if (this.support.write === "none") return refuse(io, this);
        return this.#write(io);
      case Op.discard:
        if (this.support.discard === "none") return refuse(io, this);
        io.pushAction(finishDiscard, this);
        break;
      case Op.flush:
        if (this.support.flush === "none") return refuse(io, this);
        this.#lower.submit(io);
        return;
      default:
        return refuse(io, this);
    }
    io.offset += this.#start;
    this.#lower.submit(io);
  }

  /**
   * Data, whatever is told below: what reads as zeroes there is ciphertext, too. A hole there is none here either: it reads
   * as bytes, and a client that takes holes for unallocated would find a copy of those bytes different.
   */
  runs(offset: number, length: number): readonly Run[] {
    return [{ length, content: "data", lower: this.#lower, lowerOffset: this.#start + offset }];
  }

  override async close(): Promise<void> {
    this.#stopWaitingForRoom();
    this.#cipher.close();
    if (this.#reserve !== null) this.#environment.buffers.release(this.#reserve);
    this.#reserve = null;
    this.#isReserveFree = false;
    await super.close();
  }

  describe(): LayerDescription {
    const lowers = this.#headerLayer === null ? [this.#lower] : [this.#lower, this.#headerLayer];
    return {
      driver: "@cev/crypt",
      options: this.#describedOptions,
      lowers: lowers.map((layer) => layer.describe()),
    };
  }

  /** @internal The lower device has read: what it read is decrypted where it lies. */
  decrypt(io: Io): void {
    io.offset -= this.#start;
    let { length } = io;
    if (io.error === null) {
      if (this.#reads.hold(io, this.#sectorOf(io))) return;
    } else {
      // What came before the error counts as read, so it must be plaintext; part of a sector cannot be.
      length = io.transferred - (io.transferred % this.#sectorSize);
      io.transferred = length;
    }
    if (length > 0) this.#cipher.decrypt(this.#sectorOf(io), io.data, io.dataOffset, length);
  }

  /** @internal */
  restoreOffset(io: Io): void {
    io.offset -= this.#start;
  }

  /** @internal The write is done: its own data and offset come back, its buffer is free. */
  finishWrite(io: Io, request: WriteRequest): void {
    const { buffer, group } = request;
    io.data = request.data;
    io.dataOffset = request.dataOffset;
    request.clear();
    this.#freeRequests.push(request);
    if (buffer === null) return;
    io.offset -= this.#start;
    if (group !== null) {
      if (!group.leave()) return;
      this.#freeGroup(group);
    }
    if (buffer === this.#reserve) this.#isReserveFree = true;
    else {
      this.#writingLength -= buffer.bytes.length;
      this.#environment.buffers.release(buffer);
    }
    this.#startWaiting();
  }

  /** @internal The write was cancelled. What is under way below is told there; what waits here ends here. */
  cancelWaiting(request: WriteRequest): void {
    if (request.isWaiting) {
      this.#waiting.remove(request);
      if (this.#waiting.first === null) this.#stopWaitingForRoom();
    } else if (request.buffer !== null || this.#group?.remove(request) !== true) {
      return;
    }
    const { io } = request;
    if (io?.state === EventState.pending) io.fail("CEV_CANCELLED", "cancelled while it waited", this.name);
  }

  #write(io: Io): void {
    const request = this.#freeRequests.pop() ?? new WriteRequest(this);
    request.begin(io, this.#sectorOf(io));
    io.pushAction(finishWrite, request);
    if (this.#canGather(request)) this.#gather(request);
    else this.#begin(io, request);
  }

  #canGather({ length }: WriteRequest): boolean {
    const isFirst = this.#waiting.first === null && this.#writingLength < WRITING_LENGTH_MAX;
    const isShort = length <= PART_LENGTH_MAX && this.#cipher.encryptParts !== undefined;
    return isFirst && isShort && this.#environment.burst.isOn;
  }

  /** Keeps a write until the burst ends, or as many have come as are encrypted together. */
  #gather(request: WriteRequest): void {
    // What ends with one group may bring the writes of the next.
    while (this.#group !== null && this.#group.length + request.length > this.#groupLengthMax)
      this.burstEnded();
    if (this.#group === null) {
      this.#group = this.#freeGroups.pop() ?? new WriteGroup();
      this.#environment.burst.atEnd(this);
    }
    this.#group.add(request);
  }

  /** @internal What was kept goes on, together where there is memory for that. */
  burstEnded(): void {
    const group = this.#group;
    this.#group = null;
    if (group === null) return;
    const { requests, length } = group;
    const buffer = requests.length > 1 ? this.#environment.buffers.tryAcquire(length) : null;
    if (buffer !== null) {
      this.#writingLength += buffer.bytes.length;
      return this.#startGroup(group, buffer);
    }
    for (const request of requests) this.#begin(request.io!, request);
    this.#freeGroup(group);
  }

  #startGroup(group: WriteGroup, buffer: PoolBuffer): void {
    const { requests } = group;
    const count = requests.length;
    group.share(buffer);
    let error: CevError | null = null;
    try {
      this.#cipher.encryptParts!(requests, buffer);
    } catch (cause) {
      error = asError(cause);
    }
    // With the last of them the group is over, and may have begun anew.
    for (let index = 0, at = 0; index < count; index++) {
      const { io, length } = requests[index]!;
      if (error === null) this.#submitBelow(io!, buffer, at);
      else this.#failWrite(io!, error);
      at += length;
    }
    this.#groupLengthMax = group.length === 0 ? PARTS_LENGTH_MAX : LATER_LENGTH_MAX;
  }

  #freeGroup(group: WriteGroup): void {
    group.clear();
    this.#freeGroups.push(group);
  }

  #begin(io: Io, request: WriteRequest): void {
    const buffer = this.#waiting.first === null ? this.#takeBuffer(io.length) : null;
    if (buffer !== null) return this.#startWrite(io, request, buffer);
    this.#waiting.add(request);
    this.#waitForRoom();
  }

  #startWrite(io: Io, request: WriteRequest, buffer: PoolBuffer): void {
    request.buffer = buffer;
    try {
      this.#cipher.encrypt(request.sector, request.data, request.dataOffset, request.length, buffer);
    } catch (cause) {
      return this.#failWrite(io, asError(cause));
    }
    this.#submitBelow(io, buffer, 0);
  }

  #submitBelow(io: Io, buffer: PoolBuffer, at: number): void {
    io.data = buffer.bytes;
    io.dataOffset = at;
    io.offset += this.#start;
    this.#lower.submit(io);
  }

  #failWrite(io: Io, error: CevError): void {
    io.offset += this.#start;
    io.complete(error);
  }

  #takeBuffer(length: number): PoolBuffer | null {
    if (this.#writingLength >= WRITING_LENGTH_MAX) return null;
    const buffer = this.#environment.buffers.tryAcquire(length);
    if (buffer !== null) {
      this.#writingLength += buffer.bytes.length;
      return buffer;
    }
    if (!this.#isReserveFree) return null;
    this.#isReserveFree = false;
    return this.#reserve;
  }

  #startWaiting(): void {
    const waiting = this.#waiting;
    for (let request = waiting.first; request !== null; request = waiting.first) {
      const io = request.io!;
      const buffer = this.#takeBuffer(io.length);
      if (buffer === null) return this.#waitForRoom();
      waiting.remove(request);
      this.#startWrite(io, request, buffer);
    }
  }

  #waitForRoom(): void {
    // When a write of this layer ends, what waits is looked at anyway; room in the pool is for others then.
    if (this.#writingLength >= WRITING_LENGTH_MAX) return;
    this.#roomEntry ??= this.#environment.buffers.waitForRoom(roomCame, this);
  }

  #stopWaitingForRoom(): void {
    if (this.#roomEntry !== null) this.#environment.buffers.stopWaitingForRoom(this.#roomEntry);
    this.#roomEntry = null;
  }

  /** @internal */
  roomCame(): void {
    this.#roomEntry = null;
    this.#startWaiting();
    // Others may have use for what is left.
    if (this.#roomEntry === null) this.#environment.buffers.passRoomOn();
  }

  /** Number of the tweak of an `Io`'s first sector: it counts in units of 512 bytes whatever the sector size is, unless IVs are large. */
  #sectorOf(io: Io): number {
    return this.#firstUnit + io.offset / this.#ivUnitLength;
  }
}

function finishRead(io: Io, layer: CryptLayer): void {
  layer.decrypt(io);
}

function finishDiscard(io: Io, layer: CryptLayer): void {
  layer.restoreOffset(io);
}

function finishWrite(io: Io, request: WriteRequest): void {
  request.owner.finishWrite(io, request);
}

function roomCame(_pool: unknown, layer: CryptLayer): void {
  layer.roomCame();
}

function asError(cause: unknown): CevError {
  return isCevError(cause) ? cause : new CevError("CEV_PROGRAM", "encryption failed", { cause });
}
