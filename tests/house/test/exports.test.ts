import ts from "typescript";
import { describe, expect, test } from "vitest";
import { packageNames, parse, placeOf, sourcesOf } from "../source-files.ts";

describe.each(packageNames())("packages/%s", (name) => {
  const files = sourcesOf(name).map(parse);

  test("exports by name alone", () => {
    const defaults = files.flatMap((file) => file.statements.filter(isDefaultExport).map(placeOf));
    expect(defaults).toEqual([]);
  });

  test("has an index that is a table of contents: names, where they come from, and no code", () => {
    const index = files.find((file) => file.fileName === `packages/${name}/src/index.ts`);
    const code = index?.statements.filter((statement) => !isNamedReexport(statement)).map(placeOf);
    expect(index).toBeDefined();
    expect(code).toEqual([]);
  });

  test("names its files in kebab-case", () => {
    const names = files.map((file) => file.fileName.split("/").at(-1) ?? "");
    expect(names.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(file))).toEqual([]);
  });
});

function isDefaultExport(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true;
  return (
    ts.canHaveModifiers(statement) &&
    ts.getModifiers(statement)?.some((one) => one.kind === ts.SyntaxKind.DefaultKeyword) === true
  );
}

function isNamedReexport(statement: ts.Statement): boolean {
  if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) return false;
  return statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause);
}
