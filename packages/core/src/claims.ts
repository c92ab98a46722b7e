import { CevError } from "./errors.ts";

/** What a claimant means to do: any number may read, one may write. */
export type ClaimMode = "read" | "write";

/** Who may hold a claim: compared by identity; the name is for people. */
export interface Claimant {
  readonly name: string;
}

/** A right that was granted; `release` it once. */
export interface Claim {
  readonly mode: ClaimMode;
  release(): void;
}

/**
 * Who uses a layer. Two writers are refused; the same claimant may claim more than once (volumes of one group on
 * one physical volume).
 */
export class Claims {
  readonly #held = new Set<{ readonly claimant: Claimant; readonly mode: ClaimMode }>();
  /** @internal How many stacks have opened the layer; see `openTree`. */
  openCount = 0;
  /** @internal Resolves when whoever is opening or closing the layer is through; null: nobody is. */
  turn: Promise<void> | null = null;

  /** How many claims are held. */
  get count(): number {
    return this.#held.size;
  }

  /** Claims the layer, or throws `CEV_BUSY` naming who has it. `layerName`: for the message. */
  acquire(claimant: Claimant, mode: ClaimMode, layerName: string): Claim {
    if (mode === "write") {
      for (const held of this.#held) {
        if (held.mode === "write" && held.claimant !== claimant) {
          throw new CevError("CEV_BUSY", `${layerName} is already being written by ${held.claimant.name}`, {
            layer: layerName,
            hint: "close that one first, or open this one read-only",
          });
        }
      }
    }
    const entry = { claimant, mode };
    this.#held.add(entry);
    return { mode, release: () => void this.#held.delete(entry) };
  }

  /** @internal Releases whatever one claimant holds. */
  releaseAllOf(claimant: Claimant): void {
    for (const held of this.#held) if (held.claimant === claimant) this.#held.delete(held);
  }
}
