/** A whole number of the command line. Throws for anything else. */
export function numberOf(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${option}: not a whole number: ${text}`);
  return Number(text);
}

/** True for a value of a list with commas; without a list for every one. */
export function isWanted(list: string | undefined, value: string): boolean {
  return list === undefined || list.split(",").includes(value);
}

/** What a command was called with; a package manager may leave its own separator in. */
export function ownArguments(args: readonly string[]): string[] {
  return args[0] === "--" ? args.slice(1) : [...args];
}

/** Reads the command line, or says what is wrong with it and ends the process. */
export function readOrExit<Options>(command: string, read: (args: readonly string[]) => Options): Options {
  try {
    return read(process.argv.slice(2));
  } catch (error) {
    console.error(`${command}: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(2);
  }
}
