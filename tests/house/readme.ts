/** Reads what a package's README says, so that it can be compared with the code. */

export interface Section {
  readonly heading: string;
  readonly text: string;
}

/** The sections below `## ` headings, in order. Headings inside fenced code do not count. */
export function sectionsOf(readme: string): Section[] {
  const sections: { heading: string; lines: string[] }[] = [];
  let isCode = false;
  for (const line of readme.split("\n")) {
    if (line.startsWith("```")) isCode = !isCode;
    if (!isCode && line.startsWith("## ")) sections.push({ heading: line.slice(3).trim(), lines: [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections.map(({ heading, lines }) => ({ heading, text: lines.join("\n") }));
}

/** Names in code at the beginning of list items or table rows: "- `chunkSize`: …", "| `chunkSize` | … |". */
export function namesListed(text: string): string[] {
  const found = text.matchAll(/^(?:[-*]|\|) *`([A-Za-z][\w.]*)`/gm);
  return [...new Set([...found].map(([, name = ""]) => name))].toSorted();
}

/** The error codes a text names. */
export function codesIn(text: string): string[] {
  return [...new Set(text.match(/\bCEV_[A-Z_]+\b/g) ?? [])].toSorted();
}
