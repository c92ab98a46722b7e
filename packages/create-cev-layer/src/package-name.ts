import { builtinModules } from "node:module";
import { Refusal } from "./refusal.ts";

const NAME_LENGTH_MAX = 214;
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
// What a layer imports from core is called so: a class of its own cannot be.
const TAKEN: readonly string[] = ["Layer", "AsyncLayer"];
const RESERVED = new Set(["node_modules", "favicon.ico", ...builtinModules]);

/** What a package and what is in it are called. */
export interface Names {
  /** As in package.json and in stack files: "@me/cev-scramble". */
  readonly packageName: string;
  /** Of the layer, in messages: "scramble". */
  readonly layerName: string;
  /** "ScrambleLayer". */
  readonly className: string;
}

/** Throws a `Refusal` for a name that npm does not take, or that gives no name for a class. */
export function namesOf(packageName: string): Names {
  if (!NAME.test(packageName) || packageName.length > NAME_LENGTH_MAX || RESERVED.has(packageName))
    throw new Refusal(
      `npm takes no package of the name ${JSON.stringify(packageName)}: lower-case letters, digits, - and _, perhaps with @scope/ in front`,
    );
  const words = packageName
    .replace(/^@.*\//, "")
    .replace(/^cev-(?=.)/, "")
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
  const pascal = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
  if (!/^[A-Z]/.test(pascal))
    throw new Refusal(`${packageName} gives no name for a class: begin with a letter, or with cev-`);
  const className = pascal.endsWith("Layer") ? pascal : `${pascal}Layer`;
  return {
    packageName,
    layerName: words.join("-"),
    className: TAKEN.includes(className) ? `My${className}` : className,
  };
}
