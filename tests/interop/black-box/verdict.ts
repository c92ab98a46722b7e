/** One program of another project, run against one server. */
export interface Case {
  readonly name: string;
  /** Throws what went wrong; a `Skipped` where the case cannot be run. */
  readonly run: () => Promise<void>;
}

export type Verdict =
  | { readonly kind: "passed" }
  | { readonly kind: "skipped" | "failed"; readonly why: string };

/** Why a case was not run. */
export class Skipped extends Error {}

export async function judge(one: Case): Promise<Verdict> {
  try {
    await one.run();
    return { kind: "passed" };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { kind: error instanceof Skipped ? "skipped" : "failed", why };
  }
}
