import type { ConformanceTable } from "@cev/test-kit";
import { groupSubjects } from "./conformance/group-subjects.ts";
import { mirrorSubjects } from "./conformance/mirror-subjects.ts";
import { segmentSubjects } from "./conformance/segment-subjects.ts";

export const conformanceTable: ConformanceTable = {
  package: "@cev/lvm",
  groups: { segments: segmentSubjects, mirrors: mirrorSubjects, "volumes of a group": groupSubjects },
};
