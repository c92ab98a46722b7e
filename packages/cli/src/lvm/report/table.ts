/** How a report's rows are written. */
export interface TableStyle {
  readonly hasHeadings: boolean;
  /** Columns are padded to one width. */
  readonly isAligned: boolean;
  readonly separator: string;
}

/** One column of a table, with the text of its cells. */
export interface TableColumn {
  readonly heading: string;
  /** At least so wide. */
  readonly width: number;
  readonly isRight: boolean;
  readonly cells: readonly string[];
}

const INDENT = "  ";

/** The lines of a table as LVM2 writes them: indented, columns padded, headings to the left of their column. */
export function tableLines(columns: readonly TableColumn[], rowCount: number, style: TableStyle): string[] {
  const widths = columns.map(({ heading, width, cells }) =>
    Math.max(width, style.hasHeadings ? heading.length : 0, ...cells.map((cell) => cell.length)),
  );
  const line = (texts: readonly string[], isHeading: boolean): string =>
    INDENT +
    texts
      .map((text, index) => {
        if (!style.isAligned) return text;
        const isRight = columns[index]!.isRight && !isHeading;
        return isRight ? text.padStart(widths[index]!) : text.padEnd(widths[index]!);
      })
      .join(style.separator);
  const rows = Array.from({ length: rowCount }, (_, row) =>
    line(
      columns.map(({ cells }) => cells[row]!),
      false,
    ),
  );
  if (!style.hasHeadings) return rows;
  return [
    line(
      columns.map(({ heading }) => heading),
      true,
    ),
    ...rows,
  ];
}
