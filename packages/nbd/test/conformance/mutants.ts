import { HANDSHAKE_MUTANTS } from "./mutants-handshake.ts";
import { REPLY_MUTANTS } from "./mutants-replies.ts";
import { REQUEST_MUTANTS } from "./mutants-requests.ts";
import type { Mutant } from "./mutations.ts";

/** Bugs of servers, each with the check that has to find it. */
export const MUTANTS: readonly Mutant[] = [...HANDSHAKE_MUTANTS, ...REPLY_MUTANTS, ...REQUEST_MUTANTS];
