/** Bytes in hexadecimal as cryptsetup prints them, so many in a line: "0a 1b ". */
export function hexLines(hex: string, perLine: number): string[] {
  const pairs = hex.match(/../g) ?? [];
  const lines: string[] = [];
  for (let at = 0; at < pairs.length; at += perLine)
    lines.push(
      pairs
        .slice(at, at + perLine)
        .map((pair) => `${pair} `)
        .join(""),
    );
  return lines;
}

/** Whoever made the header chose these texts: nothing in them may steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "\u{fffd}");
}

/** JSON as it stands in a header, with every number as it is written there, and nothing in it that a terminal would obey. */
export function jsonForTerminal(text: string): string {
  const raw = JSON as unknown as { readonly rawJSON: (source: string) => unknown };
  const exact = (_key: string, value: unknown, { source }: { readonly source?: string }): unknown =>
    typeof value === "number" && source !== undefined ? raw.rawJSON(source) : value;
  const parsed: unknown = JSON.parse(text, exact as (key: string, value: unknown) => unknown);
  return JSON.stringify(parsed, null, 2).replaceAll(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    escaped,
  );
}

const escaped = (character: string): string =>
  String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
