/**
 * The options of a command; it ends here where help is asked for (`parse` gives null), and where they make no sense (`parse` throws:
 * status 2).
 */
export function optionsOrUsage<Options>(
  parse: (args: readonly string[]) => Options | null,
  usage: string,
): Options {
  try {
    const parsed = parse(process.argv.slice(2));
    if (parsed !== null) return parsed;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}
