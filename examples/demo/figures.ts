import type { Layer } from "@cev/core";
import type { Stack } from "@cev/stack";
import { StatisticsLayer } from "@cev/test-kit";

/** Counts what passes each device of a stack, by layers that stand between the others and that nobody notices. */
export class Figures {
  readonly #layers: StatisticsLayer[] = [];

  /** For `around` of a stack's options. */
  readonly around = (layer: Layer): Layer => {
    const counting = new StatisticsLayer(layer);
    this.#layers.push(counting);
    return counting;
  };

  /** One line per device, uppermost first. */
  table(stack: Stack): string[] {
    const rows = [["device", "reads", "", "writes", "", "flushes", "under way"]];
    for (const { name, layer } of stack.devices.toReversed()) {
      const counting = this.#layers.find((one) => one === layer);
      if (counting === undefined) continue;
      const { counts, inFlightCount } = counting;
      const count = (op: string): string => String(counts[op]?.count ?? 0);
      const size = (op: string): string => kib(counts[op]?.bytes ?? 0);
      rows.push([
        name,
        count("read"),
        size("read"),
        count("write"),
        size("write"),
        count("flush"),
        String(inFlightCount),
      ]);
    }
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    return rows.map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join("  "),
    );
  }
}

const kib = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;
