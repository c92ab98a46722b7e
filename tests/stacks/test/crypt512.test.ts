import { describe, test } from "vitest";
import { crypt512 } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(crypt512, { describe, test });
