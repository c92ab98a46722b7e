import { parseArgs } from "node:util";
import { oneOf } from "../../../scripts/command-line.ts";

export const SUITES = ["nbd-tester", "libnbd", "iotests"] as const;
export type Suite = (typeof SUITES)[number];

/** Servers that can be judged; the foreign ones show what a suite says of a server that its authors know. */
export const SERVERS = ["cev", "nbdkit", "qemu-nbd"] as const;
export type ServerKind = (typeof SERVERS)[number];

export interface BlackBoxOptions {
  readonly suites: readonly Suite[];
  readonly server: ServerKind;
  /** Where the suites' sources are or are put; null: in a folder that is removed afterwards. */
  readonly sources: string | null;
  /** Runs only cases whose name has this in it. */
  readonly only: string;
  readonly isJson: boolean;
}

export const USAGE = `usage: pnpm run nbd-black-box [OPTION]...

Runs test programs of other projects against an NBD server and tells what passed. They are fetched when they are
missing, built with the C compiler, and nothing of them is kept unless --sources names a folder.

  --suite NAME     ${SUITES.join(", ")} (may be repeated; default: all)
  --server NAME    ${SERVERS.join(", ")} (default: cev)
  --sources DIR    keeps what was fetched and built there, and uses what is there already
  --only TEXT      only cases with TEXT in their name
  --json           one line of JSON for each case

Examples:
  pnpm nbd-black-box --suite libnbd
  pnpm nbd-black-box --suite iotests --server qemu-nbd --sources ~/nbd-suites
`;

/** Throws an Error that says which option is wrong; null: help was asked for. */
export function parseOptions(args: readonly string[]): BlackBoxOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: "string", multiple: true },
      server: { type: "string", default: "cev" },
      sources: { type: "string" },
      only: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    suites: (values.suite ?? SUITES).map((name) => oneOf("suite", SUITES, name)),
    server: oneOf("server", SERVERS, values.server),
    sources: values.sources ?? null,
    only: values.only,
    isJson: values.json,
  };
}
