import type { Json } from "@cev/core";
import { AT_ONCE_MAX, isDisk, plainDisk } from "./plan.ts";
import type { DiskPlan, PlanNode, StackPlan } from "./plan.ts";
import type { CutPolicy } from "./step.ts";

const FLAGS = { f: "fua", z: "zeroes", d: "discard", l: "later", a: "adapted" } as const;
const POLICIES: readonly string[] = ["all", "none", "sectors", "disks"] satisfies readonly CutPolicy[];

/**
 * All of a plan in one word for a shell: `raid:16384{"level":1}(disk:36864:fzd,disk:36864:fzdl:b4096);light;joints`. After the colon of a
 * layer the bytes it shows; of a disk its size, its abilities (fua, zeroes, discard; later, adapted), blocks and longest request.
 */
export function encodeStack(plan: StackPlan): string {
  const parts = [nodeText(plan.top), plan.checks];
  if (plan.hasJoints) parts.push("joints");
  if (plan.overlaps) parts.push("overlaps");
  if (plan.order === "fifo") parts.push("fifo");
  if (plan.atOnceMax !== AT_ONCE_MAX) parts.push(`at-once=${plan.atOnceMax}`);
  if (plan.policy !== null) parts.push(`policy=${plan.policy}`);
  return parts.join(";");
}

/** The other way. Null: it is no such text. */
export function parseStack(text: string): StackPlan | null {
  const reader = new Reader(text);
  const top = reader.node();
  if (top === null) return null;
  let plan: StackPlan = {
    top,
    checks: "none",
    hasJoints: false,
    overlaps: false,
    order: "random",
    atOnceMax: AT_ONCE_MAX,
    policy: null,
  };
  const rest = reader.rest();
  for (const part of rest === "" ? [] : rest.slice(1).split(";")) {
    const next = rest.startsWith(";") ? settingOf(part) : null;
    if (next === null) return null;
    plan = { ...plan, ...next };
  }
  return plan;
}

function settingOf(part: string): Partial<StackPlan> | null {
  if (part === "none" || part === "light" || part === "thorough") return { checks: part };
  if (part === "joints") return { hasJoints: true };
  if (part === "overlaps") return { overlaps: true };
  if (part === "fifo") return { order: "fifo" };
  const { key, value } = /^(?<key>[a-z-]+)=(?<value>\w+)$/.exec(part)?.groups ?? {};
  if (key === "at-once" && /^[1-9]\d?$/.test(value!)) return { atOnceMax: Number(value) };
  if (key === "policy" && POLICIES.includes(value!)) return { policy: value as CutPolicy };
  return null;
}

function nodeText(node: PlanNode): string {
  if (isDisk(node)) return diskText(node);
  const options = Object.keys(node.options).length === 0 ? "" : JSON.stringify(node.options);
  return `${node.kind}:${node.size}${options}(${node.lowers.map(nodeText).join(",")})`;
}

function diskText(disk: DiskPlan): string {
  const flags = Object.entries(FLAGS).map(([letter, key]) => (disk[key] ? letter : ""));
  const blocks = disk.blockSize === 512 ? "" : `:b${disk.blockSize}`;
  return `disk:${disk.size}:${flags.join("")}${blocks}${disk.ioLengthMax === null ? "" : `:m${disk.ioLengthMax}`}`;
}

class Reader {
  readonly #disk = /disk:(?<size>\d{1,9}):(?<flags>[fzdla]*)(?::b(?<block>\d{1,6}))?(?::m(?<max>\d{1,9}))?/y;
  readonly #head = /(?<kind>[\w-]+):(?<size>\d{1,9})/y;
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  rest(): string {
    return this.#text.slice(this.#at);
  }

  node(): PlanNode | null {
    const disk = this.#match(this.#disk);
    if (disk !== null) return diskOf(disk);
    const head = this.#match(this.#head);
    if (head === null) return null;
    const options = this.#text[this.#at] === "{" ? this.#json() : {};
    const lowers = options === null ? null : this.#lowers();
    if (options === null || lowers === null) return null;
    return { kind: head["kind"]!, size: Number(head["size"]), options, lowers };
  }

  #lowers(): PlanNode[] | null {
    const lowers: PlanNode[] = [];
    if (!this.#take("(")) return null;
    if (this.#take(")")) return lowers;
    do {
      const lower = this.node();
      if (lower === null) return null;
      lowers.push(lower);
    } while (this.#take(","));
    return this.#take(")") ? lowers : null;
  }

  /** Options: the shortest text from here that is an object. */
  #json(): { readonly [key: string]: Json } | null {
    for (let end = this.#text.indexOf("}", this.#at); end >= 0; end = this.#text.indexOf("}", end + 1)) {
      try {
        const options = JSON.parse(this.#text.slice(this.#at, end + 1)) as { readonly [key: string]: Json };
        this.#at = end + 1;
        return options;
      } catch {
        // A brace within it: it ends at a later one.
      }
    }
    return null;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): Readonly<Record<string, string | undefined>> | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at = pattern.lastIndex;
    return match.groups!;
  }
}

function diskOf({ size, flags, block, max }: Readonly<Record<string, string | undefined>>): DiskPlan {
  const has = Object.fromEntries(
    Object.entries(FLAGS).map(([letter, key]) => [key, flags!.includes(letter)]),
  ) as Record<(typeof FLAGS)[keyof typeof FLAGS], boolean>;
  return {
    ...plainDisk(Number(size)),
    ...has,
    blockSize: Number(block ?? 512),
    ioLengthMax: max === undefined ? null : Number(max),
  };
}
