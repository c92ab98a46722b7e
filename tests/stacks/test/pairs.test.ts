import process from "node:process";
import { testTable } from "@cev/test-kit";
import { describe, test } from "vitest";
import { pairsTable } from "./conformance-table.ts";

testTable(pairsTable, { describe, test }, process.env);
