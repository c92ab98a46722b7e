import type { Broken } from "./defect-layer.ts";
import { cacheManifest, createCache } from "./write-back-layer.ts";

/** Caches with one defect each in what becomes of the blocks that they have not written yet. */
export const BROKEN_CACHES: readonly Broken[] = [
  {
    what: "forgets what it should write before it is written",
    theme: "durability",
    finding: /a write to lower 0 failed .*is not what it should be/,
    defect: {},
    manifest: cacheManifest,
    create: createCache({ forgetsEarly: true }),
  },
  {
    what: "looks into its cache only when a read has come back, by when the blocks may be written and dropped",
    theme: "deferral",
    finding: /was under way below when a flush came, gave a wrong byte/,
    defect: {},
    manifest: cacheManifest,
    create: createCache({ looksLate: true }),
  },
];
