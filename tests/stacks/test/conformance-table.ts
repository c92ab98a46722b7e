import type { ConformanceTable } from "@cev/test-kit";
import { adapterSubjects } from "../subjects/adapters.ts";
import { openingSubjects } from "../subjects/crypt-openings.ts";
import { jointSubjects } from "../subjects/joints.ts";
import { pairSubjects, singleSubjects } from "../subjects/pairs.ts";
import { volumeSubjects } from "../subjects/volumes.ts";
import { wholeSubjects } from "../subjects/whole.ts";

const NAME = "@cev/tests-stacks";

/** What stands by itself, and whole stacks. */
export const stacksTable: ConformanceTable = {
  package: NAME,
  groups: {
    "what core puts between layers": adapterSubjects,
    joints: jointSubjects,
    "one kind": singleSubjects,
    "encrypted devices": openingSubjects,
    "volumes of a group": volumeSubjects,
    "whole stacks": wholeSubjects,
  },
  drawnCount: 8,
};

/** Every kind over every kind. */
export const pairsTable: ConformanceTable = { package: NAME, groups: pairSubjects, drawnCount: 8 };

export const conformanceTable: ConformanceTable = {
  package: NAME,
  groups: { ...stacksTable.groups, ...pairsTable.groups },
};
