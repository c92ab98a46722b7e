import { parseArgs } from "node:util";
import { STYLES } from "./create-layer.ts";
import { Refusal } from "./refusal.ts";

/** What was asked for. */
export interface Arguments {
  readonly values: {
    readonly style?: string | undefined;
    readonly name?: string | undefined;
    readonly help?: boolean | undefined;
  };
  readonly positionals: readonly string[];
}

/** Environment variables. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The words behind the command, and the options that npm took for settings of its own. Throws a `Refusal`. */
export function argumentsOf(words: readonly string[], variables: Variables): Arguments {
  const given = parsed(words);
  return { ...given, values: { ...optionsOfNpm(variables), ...given.values } };
}

function parsed(words: readonly string[]): Arguments {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { style: { type: "string" }, name: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Refusal(`${message} (--help says what there is; styles are ${STYLES.join(", ")})`);
  }
}

/**
 * Without a `--` in front of them `--name x` and `--style=x` arrive in environment variables. Of `--style x` the word arrives as one
 * folder more, and the variable says that there was an option.
 */
function optionsOfNpm(variables: Variables): Arguments["values"] {
  const { npm_command: command, npm_config_name: name, npm_config_style: style } = variables;
  if (command !== "init") return {};
  if (name === "true" || style === "true")
    throw new Refusal(
      "npm kept an option to itself, write -- in front: npm create cev-layer FOLDER -- --style async --name PACKAGE",
    );
  return { ...(name === undefined ? {} : { name }), ...(style === undefined ? {} : { style }) };
}
