import { describe, test } from "vitest";
import { crypt4096 } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(crypt4096, { describe, test });
