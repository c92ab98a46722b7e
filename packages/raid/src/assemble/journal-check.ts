import type { Geometry } from "../levels/level.ts";
import { stripeLayout } from "../levels/levels.ts";
import { StripeMap } from "../levels/stripe.ts";
import { readJournal } from "../metadata/journal.ts";
import type { JournalPage } from "../metadata/journal.ts";
import type { ScanTarget } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Candidate, Rebuilding } from "./assemble.ts";

const SECTOR = 512;
const PAGE = 4096;

/** What is compared with a journal: an array of RAID4, 5 or 6. */
export interface JournaledArray {
  readonly geometry: Geometry;
  /** By member index; null where none is in sync. */
  readonly members: readonly (Candidate | null)[];
  /** What members hold that are being rebuilt is read, too. */
  readonly rebuilding: readonly Rebuilding<Candidate>[];
  readonly targetOf: (name: string) => ScanTarget;
}

/**
 * True where all that the journal holds is on the members: then they can be read without it. Where one member is missing,
 * what is reconstructed of it is compared instead; parity of its own is not missed.
 */
export async function isJournalOnMembers(
  journal: { readonly target: ScanTarget; readonly superblock: Superblock },
  { geometry, members, rebuilding, targetOf }: JournaledArray,
): Promise<boolean> {
  const layout = stripeLayout(geometry.level, geometry.layout);
  if (layout === null || members.filter((member) => member === null).length > 1) return false;
  const pages = await readJournal(journal.target, journal.superblock);
  if (pages === null) return false;
  const { chunkSize, memberCount, memberSizes } = geometry;
  const map = new StripeMap({ layout, chunkSize, memberCount });
  const readPage = ({ name, superblock }: Candidate, offset: number): Promise<Uint8Array> =>
    targetOf(name).read(superblock.dataOffsetSectors * SECTOR + offset, PAGE);
  const reconstruct = async (offset: number): Promise<Uint8Array> => {
    const q = map.qMember(Math.floor(offset / chunkSize));
    const sources = members.filter((_, index) => index !== q);
    const sum = new Uint8Array(PAGE);
    for (const source of sources) if (source !== null) xorInto(sum, await readPage(source, offset));
    return sum;
  };
  for (const page of pages) {
    const { kind, at } = page;
    const { memberIndex, offset } = placeOf(map, page);
    if (memberIndex < 0 || offset + PAGE > (memberSizes[memberIndex] ?? 0)) return false;
    const rebuilt = rebuilding.find((one) => one.index === memberIndex && offset + PAGE <= one.recoveredTo);
    const member = members[memberIndex] ?? rebuilt?.member ?? null;
    if (member === null && kind !== "data") continue;
    const held = member === null ? await reconstruct(offset) : await readPage(member, offset);
    const logged = await journal.target.read(at, PAGE);
    if (!logged.every((byte, index) => byte === held[index])) return false;
  }
  return true;
}

function xorInto(sum: Uint8Array, page: Uint8Array): void {
  for (let at = 0; at < sum.length; at++) sum[at]! ^= page[at]!;
}

/** The member and the byte of its data at which a page belongs. */
function placeOf(map: StripeMap, { kind, offset }: JournalPage): { memberIndex: number; offset: number } {
  if (kind === "data") return { memberIndex: map.memberOf(offset), offset: map.memberOffsetOf(offset) };
  const stripe = Math.floor(offset / map.chunkSize);
  return { memberIndex: kind === "p" ? map.parityMember(stripe) : map.qMember(stripe), offset };
}
