import type {
  Claimant,
  Details,
  Environment,
  Layer,
  OpenWithRequest,
  OpenedDevice,
  Problem,
} from "@cev/core";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";

/** What all volumes of a group have in common, to make layers of them. */
export interface GroupParts {
  readonly environment: Environment;
  readonly group: VolumeGroup;
  /** What the group is called here: its name, with more behind it where several have it. */
  readonly name: string;
  /** By name. */
  readonly volumes: ReadonlyMap<string, LogicalVolume>;
  /** By name of the physical volume within the metadata; those that are missing are not there. */
  readonly physical: ReadonlyMap<string, Layer>;
  /** All of them, for descriptions. */
  readonly lowers: readonly Layer[];
  /** What the user calls each of them. */
  readonly names: ReadonlyMap<Layer, string>;
  /** Claims the physical volumes: one for all volumes, so that they can share them. */
  readonly claimant: Claimant;
  readonly details: Details;
  /** Writing with redundancy missing was allowed by name. */
  readonly canWriteDegraded: boolean;
  /** What is left of a volume that lacks parts is believed, also where it is not known to be right. */
  readonly isForced: boolean;
  readonly report: (problem: Problem) => void;
  /** Opens devices with another driver; null: the driver was called without a stack. */
  readonly openWith: ((driver: string, request: OpenWithRequest) => Promise<readonly OpenedDevice[]>) | null;
}
