import { describe, test } from "vitest";
import { asynchronous } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(asynchronous, { describe, test });
