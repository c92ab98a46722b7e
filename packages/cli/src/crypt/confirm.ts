import { CevError } from "@cev/core";
import type { KeyReader } from "../keys/key-reader.ts";
import { UsageError } from "../usage-error.ts";

/** Asks before something is lost. `warning`: what, in whole sentences. Throws where the answer is not YES, and where nobody can be asked. */
export async function confirm(
  keys: KeyReader,
  warning: string,
  { batchMode }: { readonly batchMode?: boolean },
): Promise<void> {
  if (batchMode === true) return;
  if (!keys.isInteractive)
    throw new UsageError(
      `${warning} There is no terminal to ask at: add --batch-mode (-q) if that is what you want`,
    );
  const answer = await keys.ask(
    `\nWARNING!\n========\n${warning}\n\nAre you sure? (Type 'yes' in capital letters): `,
  );
  if (answer?.trim() === "YES") return;
  throw new CevError("CEV_CANCELLED", "nothing was changed: the answer was not YES");
}
