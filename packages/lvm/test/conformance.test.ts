import process from "node:process";
import { testTable } from "@cev/test-kit";
import { describe, test } from "vitest";
import { conformanceTable } from "./conformance-table.ts";

testTable(conformanceTable, { describe, test }, process.env);
