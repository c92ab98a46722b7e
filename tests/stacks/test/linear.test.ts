import { describe, test } from "vitest";
import { linear } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(linear, { describe, test });
