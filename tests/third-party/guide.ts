/** Reads a guide as what it is: files to write, changes to make, commands to run and what they print. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import type { Background, CleanDirectory, Outcome } from "./clean-directory.ts";

/** One fenced block. */
export interface Step {
  /** The heading above it, and what it does, for the report. */
  readonly name: string;
  readonly kind: "file" | "diff" | "from" | "console";
  /** Of a file: its path below the folder that the reader is in. */
  readonly path: string;
  readonly text: string;
}

/** All blocks, in their order. Throws for one that is neither a command nor has a path. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  let heading = "";
  let caption = "";
  let fence: { readonly marks: string; readonly info: string; readonly lines: string[] } | null = null;
  for (const line of markdown.split("\n")) {
    if (fence !== null) {
      if (line === fence.marks) {
        steps.push(stepOf(heading, fence.info, `${fence.lines.join("\n")}\n`));
        fence = null;
      } else fence.lines.push(line);
      continue;
    }
    const [, marks, info] = /^(`{3,})(.*)$/.exec(line) ?? [];
    if (marks !== undefined) {
      fence = { marks, info: info ?? "", lines: [] };
      // What stands behind the marks is not shown to people.
      const path = /=(.*)$/.exec(fence.info)?.[1];
      if (path !== undefined && !caption.includes(`\`${path}\``))
        throw new Error(`a block is ${path}, and the line above it does not say so: ${caption}`);
    }
    if (line !== "") caption = line;
    if (line.startsWith("## ")) heading = line.slice(3);
  }
  return steps;
}

function stepOf(heading: string, info: string, text: string): Step {
  if (info === "console") {
    const [command] = commandsOf(text);
    return { name: `${heading}: ${command?.line ?? ""}`, kind: "console", path: "", text };
  }
  const [, language, key, path] = /^(\w+) (title|from)=(\S+)$/.exec(info) ?? [];
  if (path === undefined)
    throw new Error(`a block below "${heading}" says neither what it is nor where: ${info}`);
  const kind = key === "from" ? "from" : language === "diff" ? "diff" : "file";
  return { name: `${heading}: ${path} (${kind})`, kind, path, text };
}

interface Command {
  readonly line: string;
  /** What it prints, line by line. */
  readonly expected: readonly string[];
}

function commandsOf(text: string): Command[] {
  const commands: { line: string; expected: string[] }[] = [];
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("$ ")) commands.push({ line: line.slice(2), expected: [] });
    else commands.at(-1)?.expected.push(line);
  }
  return commands;
}

const UNTIL_MS = 240_000;

/** Somebody who does what the guide says. */
export class Reader {
  /** Where they are, below the clean directory. */
  folder = ".";
  readonly #directory: CleanDirectory;
  #background: Background | null = null;

  constructor(directory: CleanDirectory) {
    this.#directory = directory;
  }

  /** Does one step. Throws where it does not come out as the guide says. */
  async follow({ kind, path, text }: Step): Promise<void> {
    const file = join(this.#directory.folder, this.folder, path);
    switch (kind) {
      case "file":
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
        return;
      case "diff":
        writeFileSync(file, changed(path, readFileSync(file, "utf8"), text));
        return;
      case "from":
        if (!readFileSync(file, "utf8").includes(text))
          throw new Error(`${path} does not hold this:\n${text}`);
        return;
      case "console":
        for (const command of commandsOf(text)) await this.#run(command);
    }
  }

  async #run({ line, expected }: Command): Promise<void> {
    if (line.startsWith("cd ")) this.folder = normalize(join(this.folder, line.slice(3)));
    else if (line.endsWith(" &")) await this.#start(line.slice(0, -2), expected);
    else if (line === "kill %1") check(line, { ...(await this.#background!.stop()), status: 0 }, expected);
    else check(line, await this.#directory.run(line, this.folder), expected);
  }

  /** Something that goes on: until it has printed what is expected of it. */
  async #start(line: string, expected: readonly string[]): Promise<void> {
    const background = this.#directory.start(line, this.folder);
    this.#background = background;
    const end = performance.now() + UNTIL_MS;
    while (!patternOf(expected).test(background.output())) {
      if (performance.now() > end) throw new Error(`${line} has printed this:\n${background.output()}`);
      await new Promise((resolve) => void setTimeout(resolve, 50));
    }
  }
}

/** A command that is to fail says so in what it prints. */
const canFail = (expected: readonly string[]): boolean =>
  expected.some((line) => line.trimStart().startsWith("✖") || line.startsWith("cev: "));

function check(line: string, { status, output }: Outcome, expected: readonly string[]): void {
  if ((status === 0) === canFail(expected)) throw new Error(`${line} ended with ${status}:\n${output}`);
  if (!patternOf(expected).test(output))
    throw new Error(`${line} printed this:\n${output}\n… and not this:\n${expected.join("\n")}`);
}

/** Output with these lines; … stands for any text in a line, and on a line of its own for any lines. */
function patternOf(expected: readonly string[]): RegExp {
  const lines = expected.map((line) => {
    if (line === "…") return "(?:.*\\n)*?";
    return `${line
      .split("…")
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")} *\\n`;
  });
  return new RegExp(`^${lines.join("")}$`);
}

/** A file's text with the changes of a diff, of which each number has to be right: other tools go by them. */
function changed(path: string, text: string, diff: string): string {
  const [heading, ...parts] = diff.split(/^(?=@@)/m);
  if (heading !== `--- a/${path}\n+++ b/${path}\n`)
    throw new Error(`this diff is not of ${path}:\n${heading}`);
  const lines = text.split("\n");
  let shift = 0;
  for (const part of parts) {
    const [head, ...body] = part.trimEnd().split("\n");
    const side = (other: string): string[] =>
      body.flatMap((line) => (line.startsWith(other) ? [] : [line.slice(1)]));
    const [before, after] = [side("+"), side("-")];
    const [, first] = /^@@ -(\d+),/.exec(head!) ?? [];
    const at = Number(first) - 1 + shift;
    const right = `@@ -${first},${before.length} +${at + 1},${after.length} @@`;
    if (head !== right) throw new Error(`${path}: the head of this part is ${head} and should be ${right}`);
    const there = lines.slice(at, at + before.length).join("\n");
    if (there !== before.join("\n"))
      throw new Error(`${path} has this at line ${at + 1}:\n${there}\n… and not:\n${before.join("\n")}`);
    lines.splice(at, before.length, ...after);
    shift += after.length - before.length;
  }
  return lines.join("\n");
}
