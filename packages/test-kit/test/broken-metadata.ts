import { FULL_SUPPORT } from "@cev/core";
import { reopenWith } from "../src/index.ts";
import type { Manifest, Theme } from "../src/index.ts";
import type { Broken } from "./defect-layer.ts";
import { createHeader, growHeader, headerDriver } from "./header-layer.ts";
import type { HeaderDefect } from "./header-layer.ts";

/** What a sound layer with a header promises. */
export const headerManifest = (defect: HeaderDefect): Manifest => ({
  support: FULL_SUPPORT,
  reopen: reopenWith(headerDriver(defect)),
  resize: { grow: growHeader, shows: "atOnce" },
});

function broken(what: string, theme: Theme, finding: RegExp, defect: HeaderDefect): Broken {
  return { what, theme, finding, defect: {}, manifest: headerManifest(defect), create: createHeader(defect) };
}

/** Layers with one defect each in how they are made, described, grown and closed. */
export const BROKEN_METADATA: readonly Broken[] = [
  broken("loses its options in describe()", "describe", /from its description.* is not what it should be/, {
    losesOptions: true,
  }),
  broken("describes its lower instead of itself", "describe", /says that its driver is disk of the suite/, {
    describesLower: true,
  }),
  broken("is made at another offset from its description", "describe", /describes itself otherwise/, {
    startsElsewhere: true,
  }),
  broken("has a driver for an interface of some other time", "describe", /was written for version 99/, {
    interfaceVersion: 99,
  }),
  broken("forgets that it has grown", "resize", /it grew to 32768 bytes; made again it has 16384/, {
    forgetsSize: true,
  }),
  broken(
    "says that it has grown before that is durable",
    "resize",
    /it had grown to 32768 bytes; after a power cut it has 16384/,
    { growsTooEarly: true },
  ),
  broken("grows over its own header", "resize", /there is no header/, { growsOverHeader: true }),
  broken("alters the limits that others hold", "resize", /limits that somebody had .* were altered/, {
    altersLimits: true,
  }),
  broken(
    "keeps its claim when it cannot be opened",
    "errors",
    /still claimed when request \d+ to lower 0 failed while it was opened/,
    {
      leaksClaims: true,
    },
  ),
  broken(
    "takes a header of which it could not read all",
    "errors",
    /failed while it was opened byte \d+ is not what/,
    {
      guesses: true,
    },
  ),
  broken(
    "does not tell that closing failed",
    "errors",
    /while it was closed, closing succeeded all the same/,
    {
      closesInSilence: true,
    },
  ),
];
