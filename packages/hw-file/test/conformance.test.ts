import process from "node:process";
import { subjectsOf, testTable } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { conformanceTable, holes } from "./conformance-table.ts";

testTable(conformanceTable, { describe, test }, process.env);

test.skipIf(holes === null)(
  "holes are tested (needs fallocate through node:ffi, of Node 26 on Linux)",
  () => {
    expect(subjectsOf(conformanceTable).map(({ name }) => name)).toContain("a file, with holes");
  },
);
