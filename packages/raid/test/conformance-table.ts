import type { ConformanceTable } from "@cev/test-kit";
import { ARRAY_ROWS } from "./conformance/array-rows.ts";
import { arraySubject } from "./conformance/array-subject.ts";
import { dmSubjects } from "./conformance/dm-subjects.ts";
import { imageSubjects } from "./conformance/image-subjects.ts";

const arrays = Object.entries(ARRAY_ROWS).map(([family, rows]) => [family, rows.map(arraySubject)] as const);

/** All configurations of arrays that the suite is run over. */
export const conformanceTable: ConformanceTable = {
  package: "@cev/raid",
  groups: {
    ...Object.fromEntries(arrays),
    "volumes of LVM": dmSubjects,
    "what is not kept up to date here": imageSubjects,
  },
};
