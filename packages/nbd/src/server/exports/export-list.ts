import { CevError } from "@cev/core";
import type { Export } from "./export.ts";

/** The exports of a server, by name. */
export class ExportList {
  readonly all: readonly Export[];
  readonly #byName = new Map<string, Export>();
  readonly #unnamed: Export | null;

  /** `defaultExport`: which one answers to the empty name; null: none. By default the first. */
  constructor(exports: readonly Export[], defaultExport?: string | null) {
    this.all = exports;
    for (const each of exports) {
      if (this.#byName.has(each.name))
        throw new CevError("CEV_AMBIGUOUS", `two exports have the name "${each.name}"`);
      this.#byName.set(each.name, each);
    }
    if (defaultExport === undefined) {
      this.#unnamed = exports[0] ?? null;
    } else if (defaultExport === null) {
      this.#unnamed = null;
    } else {
      this.#unnamed = this.#byName.get(defaultExport) ?? null;
      if (this.#unnamed === null)
        throw new CevError("CEV_NOT_FOUND", `the default export "${defaultExport}" is not among the exports`);
    }
  }

  find(name: string): Export | null {
    return this.#byName.get(name) ?? (name === "" ? this.#unnamed : null);
  }
}
