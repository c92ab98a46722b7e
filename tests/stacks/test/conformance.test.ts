import process from "node:process";
import { testTable } from "@cev/test-kit";
import { describe, test } from "vitest";
import { stacksTable } from "./conformance-table.ts";

testTable(stacksTable, { describe, test }, process.env);
