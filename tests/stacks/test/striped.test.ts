import { describe, test } from "vitest";
import { striped } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(striped, { describe, test });
