import { describe, test } from "vitest";
import { window } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(window, { describe, test });
