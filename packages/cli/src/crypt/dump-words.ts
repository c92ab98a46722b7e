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
