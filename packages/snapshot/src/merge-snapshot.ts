import { CevError, Op, readBytes, request, writeBytes } from "@cev/core";
import type { AbortSignalLike, Environment, NamedLayer, RequestTarget } from "@cev/core";
import { newChunkOf, oldChunkOf } from "./exception-area.ts";
import { OriginLayer } from "./origin-layer.ts";
import { planSnapshot } from "./plan-snapshot.ts";
import type { FoundSnapshot } from "./plan-snapshot.ts";
import { readStore } from "./read-store.ts";
import type { StoreContents } from "./read-store.ts";
import { ENTRY_LENGTH } from "./store-layout.ts";
import type { StoreTarget } from "./store-target.ts";

/** How far a merge has come. Bytes. */
export interface MergeProgress {
  readonly mergedBytes: number;
  /** What was in the store when the merge began or went on. */
  readonly totalBytes: number;
}

/** Another snapshot of the origin that is merged into. */
export interface OtherSnapshot {
  readonly name: string;
  readonly store: NamedLayer;
  /** Bytes; of a new store. */
  readonly chunkSize?: number;
  /** Bytes; by default all of the origin. */
  readonly size?: number;
}

/** What is merged. The layers are open, and nobody writes them. */
export interface MergeSnapshotOptions {
  readonly environment: Environment;
  readonly origin: NamedLayer;
  readonly store: NamedLayer;
  /** Bytes; of a new store. */
  readonly chunkSize?: number;
  /** Bytes that the snapshot shows; by default all of the origin. */
  readonly size?: number;
  /** They get what the merge overwrites. */
  readonly others?: readonly OtherSnapshot[];
  /** Stops the merge between two batches. */
  readonly signal?: AbortSignalLike;
  readonly onProgress?: (progress: MergeProgress) => void;
}

// So much is copied between two flushes of the origin.
const BATCH_LENGTH = 4 * 1024 * 1024;
const BATCH_ENTRIES_MAX = 1024;

/**
 * Copies what a snapshot's store holds back into its origin, from the last exception down, and clears its exceptions: a batch is copied, the
 * origin is flushed, and then the exceptions of the batch are cleared, durably. Cut off or stopped anywhere, it goes on when it is called
 * again; until it has ended the origin is to be opened with `isMerging`. Throws `CEV_DEVICE_LOST` for an invalid snapshot, `CEV_BAD_METADATA`
 * for a damaged store, its own or another's, and `CEV_CANCELLED` when it was stopped.
 */
export async function mergeSnapshot(
  options: MergeSnapshotOptions,
): Promise<{ readonly mergedBytes: number }> {
  const { environment, origin, store, others = [] } = options;
  const found: FoundSnapshot[] = [];
  for (const one of [{ ...options, name: store.name }, ...others]) {
    const { name, chunkSize = null, size = null } = one;
    const setting = { name, chunkSize, size, isMerging: one.store === store };
    found.push(await planSnapshot({ environment, origin, store: one.store, setting }));
  }
  const [own] = found;
  // What is damaged may be a snapshot that the merge would spoil; what is invalid is lost already, unless it is what is merged.
  const refused = found.find((one) => one.error !== null && (one === own || one.plan.state === "damaged"));
  if (refused !== undefined) throw cannotMerge(store.name, refused.error!);
  const layer = new OriginLayer({
    environment,
    origin: origin.layer,
    plans: found.map(({ plan }) => plan),
    isReadOnly: false,
    onInvalid: () => undefined,
  });
  if (layer.support.write === "none")
    throw new CevError("CEV_READ_ONLY", `${origin.name} and all stores must be writable for a merge`, {
      source: origin.name,
    });
  await layer.open();
  try {
    const { plan } = own!;
    const target = layer.storeOf(plan);
    const contents = await readStore({
      environment,
      source: store.name,
      store: target,
      origin: origin.layer,
      chunkSize: plan.chunkSize,
    });
    return await new Merge(options, layer, target, contents).run();
  } finally {
    await layer.close();
  }
}

/** A merge under way. */
class Merge {
  readonly #options: MergeSnapshotOptions;
  readonly #store: StoreTarget;
  readonly #contents: StoreContents;
  readonly #origin: RequestTarget & { readonly support: { readonly fua: string } };
  readonly #originSize: number;
  #areaIndex: number;
  #area: Uint8Array;
  #count: number;

  constructor(
    options: MergeSnapshotOptions,
    { origin, limits, support }: OriginLayer,
    store: StoreTarget,
    contents: StoreContents,
  ) {
    this.#options = options;
    this.#store = store;
    this.#contents = contents;
    // Past the view that shows what is not merged yet, but with the other snapshots.
    this.#origin = { name: origin.name, limits, support, submit: (io) => origin.write(io) };
    this.#originSize = origin.originSize;
    this.#areaIndex = contents.areaIndex;
    this.#area = contents.area;
    this.#count = contents.entryCount;
  }

  async run(): Promise<{ readonly mergedBytes: number }> {
    const { signal, onProgress } = this.#options;
    const { table, layout } = this.#contents;
    const totalBytes = table.size * layout.chunkSize;
    let mergedBytes = 0;
    // What a torn write left behind the exceptions must not come to life.
    if (this.#contents.isTorn) await this.#clear(this.#count, layout.entriesPerArea);
    while (await this.#hasEntries()) {
      if (signal?.aborted === true)
        throw new CevError(
          "CEV_CANCELLED",
          "the merge was stopped; it goes on where it was when it is begun again",
        );
      const start = Math.max(0, this.#count - this.#batchCount);
      await this.#copy(start, this.#count);
      if (this.#options.origin.layer.support.flush !== "none")
        await request(this.#options.origin.layer, this.#options.environment, Op.flush, 0, 0);
      await this.#clear(start, this.#count);
      mergedBytes += (this.#count - start) * layout.chunkSize;
      this.#count = start;
      onProgress?.({ mergedBytes, totalBytes });
    }
    return { mergedBytes };
  }

  get #batchCount(): number {
    return Math.max(1, Math.min(BATCH_ENTRIES_MAX, BATCH_LENGTH / this.#contents.layout.chunkSize));
  }

  /** Goes to the area before where this one has no entries left. */
  async #hasEntries(): Promise<boolean> {
    if (this.#count > 0) return true;
    if (this.#areaIndex === 0) return false;
    const { layout } = this.#contents;
    const { environment } = this.#options;
    this.#areaIndex--;
    const offset = layout.chunkOfArea(this.#areaIndex) * layout.chunkSize;
    this.#area = await readBytes(this.#store, environment, offset, layout.chunkSize);
    this.#count = layout.entriesPerArea;
    return true;
  }

  /** Copies the chunks of some entries, neighbours together. */
  async #copy(start: number, end: number): Promise<void> {
    const view = new DataView(this.#area.buffer, this.#area.byteOffset, this.#area.byteLength);
    for (let first = start; first < end;) {
      const oldChunk = oldChunkOf(view, first);
      const newChunk = newChunkOf(view, first);
      let count = 1;
      while (
        first + count < end &&
        oldChunkOf(view, first + count) === oldChunk + count &&
        newChunkOf(view, first + count) === newChunk + count
      )
        count++;
      await this.#copyRun(oldChunk, newChunk, count);
      first += count;
    }
  }

  async #copyRun(oldChunk: number, newChunk: number, count: number): Promise<void> {
    const { chunkSize } = this.#contents.layout;
    const { environment } = this.#options;
    const offset = oldChunk * chunkSize;
    const length = Math.min(count * chunkSize, this.#originSize - offset);
    const data = await readBytes(this.#store, environment, newChunk * chunkSize, length);
    await writeBytes(this.#origin, environment, offset, data);
  }

  async #clear(start: number, end: number): Promise<void> {
    const { layout } = this.#contents;
    const block = Math.max(512, this.#store.limits.logicalBlockSize);
    this.#area.fill(0, start * ENTRY_LENGTH, end * ENTRY_LENGTH);
    const from = Math.floor((start * ENTRY_LENGTH) / block) * block;
    const to = Math.ceil((end * ENTRY_LENGTH) / block) * block;
    const offset = layout.chunkOfArea(this.#areaIndex) * layout.chunkSize + from;
    const isDurable = this.#store.support.flush !== "none";
    await writeBytes(
      this.#store,
      this.#options.environment,
      offset,
      this.#area.subarray(from, to),
      isDurable,
    );
  }
}

function cannotMerge(name: string, cause: CevError): CevError {
  return new CevError(cause.code, `${name} cannot be merged: ${cause.message}`, { ...cause.place, cause });
}
