import type { Export } from "../exports/export.ts";
import type { ContextProvider, MetaContext } from "./context.ts";

/** A context that a client has selected, with its number in this connection. */
export interface SelectedContext {
  readonly id: number;
  readonly context: MetaContext;
}

/** What a client has selected. It counts for this export alone. */
export interface Selection {
  readonly target: Export;
  readonly contexts: readonly SelectedContext[];
}

/** All contexts of a server, by namespace. */
export class ContextCatalog {
  readonly #providers: readonly ContextProvider[];

  constructor(providers: readonly ContextProvider[]) {
    this.#providers = providers;
  }

  /** The names that fit one of the queries, each once; without a query all there are. */
  list(target: Export, queries: readonly string[]): readonly string[] {
    const names = new Set<string>();
    if (queries.length === 0)
      for (const provider of this.#providers) for (const name of provider.list(target, "")) names.add(name);
    for (const query of queries)
      for (const { provider, leaf } of this.#answering(query))
        for (const name of provider.list(target, leaf)) names.add(name);
    return [...names];
  }

  /** The contexts of these very names, each once. What nobody knows is left out. */
  select(target: Export, queries: readonly string[]): readonly SelectedContext[] {
    const selected = new Map<string, SelectedContext>();
    for (const query of queries) {
      for (const { provider, leaf } of this.#answering(query)) {
        const context = provider.find(target, leaf);
        if (context === null || selected.has(context.name)) continue;
        selected.set(context.name, { id: selected.size + 1, context });
      }
    }
    return [...selected.values()];
  }

  /** Whoever has the namespace of a query. A query without a colon has none. */
  *#answering(query: string): Iterable<{ readonly provider: ContextProvider; readonly leaf: string }> {
    const colonAt = query.indexOf(":");
    if (colonAt < 0) return;
    const namespace = query.slice(0, colonAt);
    for (const provider of this.#providers)
      if (provider.namespace === namespace) yield { provider, leaf: query.slice(colonAt + 1) };
  }
}
