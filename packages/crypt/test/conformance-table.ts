import type { ConformanceTable } from "@cev/test-kit";
import { luksSubjects } from "./conformance/luks-subjects.ts";
import { plainSubjects } from "./conformance/plain-subjects.ts";

const ofMode = (mode: string): typeof plainSubjects =>
  plainSubjects.filter(({ name }) => name.includes(`-${mode}`));

/** Every cipher in every mode with every kind of vector, sizes of sectors, and headers of both versions. */
export const conformanceTable: ConformanceTable = {
  package: "@cev/crypt",
  groups: {
    xts: ofMode("xts"),
    "cbc and ctr": [...ofMode("cbc"), ...ofMode("ctr")],
    "lrw and ecb": [...ofMode("lrw"), ...ofMode("ecb")],
    LUKS: luksSubjects,
  },
};
