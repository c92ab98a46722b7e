import type { CheckResult } from "./judge.ts";

/** Sentences of checks that do not stand in the document, with the names of the checks. */
export function misquotes(checks: readonly CheckResult[], texts: readonly string[]): string[] {
  const document = texts.map(flat).join(" ");
  const wrong = new Set<string>();
  for (const { name, sentence } of checks)
    for (const part of sentence.split("…"))
      if (!document.includes(flat(part).trim())) wrong.add(`${name}: ${part.trim()}`);
  return [...wrong];
}

function flat(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
