import { CevError, closeTree, openTree, readBytes } from "@cev/core";
import type { Layer, NamedLayer } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { planCommit } from "../disk/commit-plan.ts";
import type { CommandResult, MergeStore, StoreRequest } from "./context.ts";
import { beginMerge, endMerge, findSnapshot } from "./merge-state.ts";
import { archivedText, nextText, outcomeOf, resultOf } from "./outcome.ts";
import { Performance } from "./perform.ts";
import type { LvMergeRequest } from "./request.ts";
import { Session } from "./session.ts";
import { VolumeTree } from "./volume-tree.ts";
import type { SnapshotPair } from "./volume-tree.ts";
import { VolumeLayers } from "./volume-layers.ts";

/**
 * `lvconvert --merge`, offline: first the text says that the snapshot is being merged, so that whoever opens the origin reads
 * through the store; then the store is copied back; then the snapshot is gone. What was cut short goes on where it was.
 */
export async function mergeSnapshot(session: Session, request: LvMergeRequest): Promise<CommandResult> {
  const found = session.findChangeable(request.group);
  const pair = findSnapshot(new VolumeTree(found.group), request.snapshot);
  const performance = new Performance(session);
  const { mergeStore } = session.context;
  if (mergeStore === undefined)
    throw new CevError("CEV_NOT_SUPPORTED", "merging a snapshot needs the package that knows its store", {
      hint: "hand in mergeSnapshot of @cev/snapshot",
    });
  // Whatever could be refused is refused before anything is written.
  const layers = prepareLayers(session, found, pair);
  await checkStore(session, layers.store);
  const begin = beginMerge(found.group, pair);
  const first = nextText(session, request, found, begin.group);
  const plan = pair.mapping.isMerging
    ? null
    : planCommit({ scans: session.membersOf(found), text: first.text });
  await performance.archive(() => archivedText(session, request, found));
  if (plan !== null) await performance.commit(plan);
  if (performance.isDryRun) {
    const after = nextText(session, request, found, endMerge(begin.group, pair).group);
    return resultOf(request, performance, {
      ...outcomeOf(found, after),
      messages: [...begin.messages, ...endMerge(found.group, pair).messages],
    });
  }
  await runMerge(session, mergeStore, layers);
  const later = await Session.open({ ...session.context, report: () => undefined });
  const merged = later.findChangeable(found.displayName);
  const end = endMerge(merged.group, findSnapshot(new VolumeTree(merged.group), request.snapshot));
  const text = nextText(later, request, merged, end.group);
  await performance.commit(planCommit({ scans: later.membersOf(merged), text: text.text }), later);
  return resultOf(request, performance, {
    ...outcomeOf(found, text),
    messages: [...(pair.mapping.isMerging ? [] : begin.messages), ...end.messages],
  });
}

const STORE_MAGIC = 0x70_41_6e_53;

/** Throws `CEV_BAD_METADATA` for the store of a snapshot that overflowed: it does not hold all that it should. */
async function checkStore(session: Session, { name, layer }: NamedLayer): Promise<void> {
  await openTree(layer);
  try {
    const header = await readBytes(layer, session.context.environment, 0, 512);
    const view = new DataView(header.buffer, header.byteOffset);
    // A store that was never used has zeroes there.
    if (view.getUint32(0, true) === STORE_MAGIC && view.getUint32(4, true) === 0)
      throw new CevError("CEV_BAD_METADATA", `the snapshot ${name} overflowed and is invalid`, {
        hint: "it can only be removed, with lvremove",
      });
  } finally {
    await closeTree(layer);
  }
}

interface MergeLayers extends StoreRequest {
  readonly origin: { readonly name: string; readonly layer: Layer };
  readonly others: readonly (StoreRequest & { readonly name: string })[];
}

function prepareLayers(session: Session, found: AssembledGroup, pair: SnapshotPair): MergeLayers {
  const { group } = found;
  const tree = new VolumeTree(group);
  const layers = new VolumeLayers(session, found);
  const named = (name: string): { readonly name: string; readonly layer: Layer } => {
    const volume = tree.get(name);
    if (volume === null)
      throw new CevError("CEV_BAD_METADATA", `${pair.link.name} names ${name}, which there is none of`);
    return { name: `${group.name}/${name}`, layer: layers.of(volume) };
  };
  const storeOf = ({ mapping, link }: SnapshotPair): StoreRequest => ({
    store: named(mapping.store),
    chunkSize: mapping.chunkSize,
    size: link.extentCount * group.extentSize,
  });
  const { origin, store } = pair.mapping;
  const others = tree.snapshotsOf(origin).filter(({ mapping }) => mapping.store !== store);
  return {
    origin: named(origin),
    ...storeOf(pair),
    others: others.map((other) => ({ name: other.mapping.store, ...storeOf(other) })),
  };
}

async function runMerge(session: Session, mergeStore: MergeStore, request: MergeLayers): Promise<void> {
  const { environment, signal } = session.context;
  const layers = [
    request.origin.layer,
    request.store.layer,
    ...request.others.map(({ store }) => store.layer),
  ];
  const opened: Layer[] = [];
  try {
    for (const layer of layers) {
      await openTree(layer);
      opened.push(layer);
    }
    await mergeStore({
      environment,
      ...request,
      ...(signal === undefined ? {} : { signal }),
      onProgress: ({ mergedBytes, totalBytes }) =>
        session.context.progress?.({
          what: `merging ${request.store.name} into ${request.origin.name}`,
          done: mergedBytes,
          total: totalBytes,
        }),
    });
  } finally {
    for (const layer of opened.reverse()) await closeTree(layer);
  }
}
