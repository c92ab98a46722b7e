/** How the project's own commands (`pnpm sim`, `pnpm lvm-matrix`, …) are called. */

/**
 * What a command was called with. `read` gives null where help is asked for, and throws an Error in words for what makes no sense: the
 * process ends then, with 0 and the help, or with 2 and those words.
 */
export function readCommandLine<Options>(
  command: string,
  help: string,
  read: (args: readonly string[]) => Options | null,
): Options {
  try {
    const options = read(ownArguments(process.argv.slice(2)));
    if (options !== null) return options;
    console.log(help.trimEnd());
    process.exit(0);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`${command}: ${message}; pnpm ${command} --help lists what can be asked for`);
    process.exit(2);
  }
}

/** A package manager may leave its own separator in. */
export function ownArguments(args: readonly string[]): string[] {
  return args[0] === "--" ? args.slice(1) : [...args];
}

/** A whole number of the command line. Throws for anything else. */
export function numberOf(option: string, text: string, min = 0): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (value < min)
    throw new Error(`--${option} takes a whole number${min > 0 ? ` from ${min} on` : ""}, not ${text}`);
  return value;
}

/** One of the words that an option takes. Throws for anything else. */
export function oneOf<T extends string>(option: string, words: readonly T[], text: string): T {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new Error(`--${option} takes ${words.join(", ")}, not ${text}`);
  return found;
}
