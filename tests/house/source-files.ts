/** The repository's own files, read and parsed once for the rules to look at. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import ts from "typescript";

export const top: string = resolve(import.meta.dirname, "../..");

const notOurs = new Set(["node_modules", "dist", "coverage", ".turbo", ".git"]);

/** Paths of all files below a folder of the repository, relative to its top, without what is installed or built. */
export function filesBelow(folder: string, accept: (path: string) => boolean = () => true): string[] {
  const start = join(top, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return notOurs.has(entry.name) ? [] : filesBelow(path, accept);
    return accept(path) && !path.endsWith(".generated.ts") ? [path] : [];
  });
}

export const isTypeScript = (path: string): boolean => path.endsWith(".ts");

/** The folder names below `packages/`. */
export function packageNames(): string[] {
  return readdirSync(join(top, "packages")).filter((name) =>
    existsSync(join(top, "packages", name, "package.json")),
  );
}

/** Sources of one published package; its tests are not among them. */
export function sourcesOf(packageName: string): string[] {
  return filesBelow(`packages/${packageName}/src`, isTypeScript);
}

export function readText(path: string): string {
  return readFileSync(join(top, path), "utf8");
}

export function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readText(path), ts.ScriptTarget.ESNext, true);
}

/** Everything a file imports or re-exports from, `import()` of a literal included. */
export function importsOf(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) found.push(specifier.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0];
  return undefined;
}

/** `packages/core/src/io.ts:12`, for messages that can be clicked. */
export function placeOf(node: ts.Node): string {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return `${relative(top, resolve(top, file.fileName))}:${line + 1}`;
}
