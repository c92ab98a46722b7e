import type { Geometry } from "../levels/level.ts";
import { stripeLayout } from "../levels/levels.ts";
import { StripeMap } from "../levels/stripe.ts";
import { readJournal } from "../metadata/journal.ts";
import type { JournalPage } from "../metadata/journal.ts";
import type { ScanTarget } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Candidate } from "./assemble.ts";

const SECTOR = 512;
const PAGE = 4096;

/** What is compared with a journal: an array of RAID4, 5 or 6 with all its members. */
export interface JournaledArray {
  readonly geometry: Geometry;
  readonly members: readonly (Candidate | null)[];
  readonly targetOf: (name: string) => ScanTarget;
}

/** True where all that the journal holds is on the members: then they can be read without it. */
export async function isJournalOnMembers(
  journal: { readonly target: ScanTarget; readonly superblock: Superblock },
  { geometry, members, targetOf }: JournaledArray,
): Promise<boolean> {
  const layout = stripeLayout(geometry.level, geometry.layout);
  if (layout === null || members.includes(null)) return false;
  const pages = await readJournal(journal.target, journal.superblock);
  if (pages === null) return false;
  const { chunkSize, memberCount, memberSizes } = geometry;
  const map = new StripeMap({ layout, chunkSize, memberCount });
  for (const page of pages) {
    const { memberIndex, offset } = placeOf(map, page);
    const member = members[memberIndex] ?? null;
    if (member === null || offset + PAGE > memberSizes[memberIndex]!) return false;
    const start = member.superblock.dataOffsetSectors * SECTOR;
    const held = await targetOf(member.name).read(start + offset, PAGE);
    const logged = await journal.target.read(page.at, PAGE);
    if (!logged.every((byte, at) => byte === held[at])) return false;
  }
  return true;
}

/** The member and the byte of its data at which a page belongs. */
function placeOf(map: StripeMap, { kind, offset }: JournalPage): { memberIndex: number; offset: number } {
  if (kind === "data") return { memberIndex: map.memberOf(offset), offset: map.memberOffsetOf(offset) };
  const stripe = Math.floor(offset / map.chunkSize);
  return { memberIndex: kind === "p" ? map.parityMember(stripe) : map.qMember(stripe), offset };
}
