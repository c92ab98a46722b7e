import type { RaidLayer } from "@cev/raid";
import type { NamedDisk } from "./array.ts";

/** What a running array may be asked for, beside reading and writing. */
export interface Membership {
  addMember(disk: NamedDisk): Promise<unknown>;
  failMember(name: string): Promise<void>;
  removeMember(name: string): Promise<void>;
  /** Resolves when nothing is running in the background any more. */
  idle(): Promise<void>;
}

/** The membership functions of an array; null where it has none. */
export function membershipOf(layer: RaidLayer): Membership | null {
  const candidate = layer as unknown as Partial<Membership>;
  return typeof candidate.addMember === "function" ? (candidate as Membership) : null;
}

/** Waits until nothing is running in the background any more. */
export async function idle(layer: RaidLayer): Promise<void> {
  await membershipOf(layer)?.idle();
}
