import { MirrorEngine } from "../mirror/mirror-engine.ts";
import { ParityEngine } from "../parity/parity-engine.ts";
import { ZoneEngine } from "../zones/zone-engine.ts";
import type { Personality } from "./personality.ts";
import type { RunningArray } from "./running-array.ts";

/** What serves the requests of an array, by the family of its level. */
export function engineOf(array: RunningArray): Personality {
  switch (array.level.family) {
    case "parity":
      return new ParityEngine(array);
    case "mirror":
      return new MirrorEngine(array);
    case "zones":
      return new ZoneEngine(array);
  }
}
