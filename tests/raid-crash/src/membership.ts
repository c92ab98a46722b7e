import type { Layer } from "@cev/core";
import type { RaidLayer } from "@cev/raid";

/** What a running array may be asked for, beside reading and writing. */
export interface Membership {
  addMember(layer: Layer, name: string): Promise<unknown>;
  reAddMember(layer: Layer, name: string): Promise<unknown>;
  failMember(name: string): Promise<void>;
  removeMember(name: string): Promise<void>;
  idle(): Promise<void>;
  check(): Promise<number>;
}

/** The membership functions of an array; null where it has none. */
export function membershipOf(layer: RaidLayer): Membership | null {
  const candidate = layer as unknown as Partial<Membership>;
  return typeof candidate.addMember === "function" ? (candidate as Membership) : null;
}

/** Waits until nothing is running in the background any more. */
export async function idle(layer: RaidLayer): Promise<void> {
  await (layer as unknown as Partial<Membership>).idle?.();
}
