import process from "node:process";
import { describe, test } from "vitest";
import { testTable } from "../src/index.ts";
import { conformanceTable } from "./conformance-table.ts";

testTable(conformanceTable, { describe, test }, process.env);
