import { describe, test } from "vitest";
import { raid5 } from "../kinds.ts";
import { testOver } from "../pairs.ts";

testOver(raid5, { describe, test });
