/** Finds what makes a module remember something between calls, or take time and chance from elsewhere than its caller. */
import ts from "typescript";
import { placeOf } from "./source-files.ts";

const containers = new Set(["Map", "Set", "WeakMap", "WeakSet", "Array", "FinalizationRegistry"]);

/** Module-level variables and static fields that can be changed, or that hold a container which starts out empty. */
export function moduleState(file: ts.SourceFile): string[] {
  const found: string[] = [];
  for (const statement of file.statements) {
    if (ts.isVariableStatement(statement)) found.push(...variableState(statement));
    if (ts.isClassDeclaration(statement)) found.push(...statement.members.flatMap(staticState));
  }
  return found;
}

function variableState(statement: ts.VariableStatement): string[] {
  if (statement.modifiers?.some((one) => one.kind === ts.SyntaxKind.DeclareKeyword)) return [];
  const isConst = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
  return statement.declarationList.declarations
    .filter((one) => !isConst || startsEmpty(one.initializer))
    .map((one) => `${placeOf(one)}: ${one.name.getText()}`);
}

function staticState(member: ts.ClassElement): string[] {
  if (!ts.isPropertyDeclaration(member)) return [];
  const kinds = new Set(member.modifiers?.map((one) => one.kind));
  if (!kinds.has(ts.SyntaxKind.StaticKeyword)) return [];
  if (kinds.has(ts.SyntaxKind.ReadonlyKeyword) && !startsEmpty(member.initializer)) return [];
  return [`${placeOf(member)}: ${member.name.getText()}`];
}

/** A container that is filled where it is made may be a table; an empty one can only be there to be filled later. */
function startsEmpty(initializer: ts.Expression | undefined): boolean {
  if (initializer === undefined) return false;
  if (ts.isArrayLiteralExpression(initializer)) return initializer.elements.length === 0;
  if (ts.isObjectLiteralExpression(initializer)) return initializer.properties.length === 0;
  if (!ts.isNewExpression(initializer)) return false;
  return containers.has(initializer.expression.getText()) && (initializer.arguments?.length ?? 0) === 0;
}

const globals = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "process",
  "performance",
]);
const properties = new Set(["Date.now", "Math.random", "crypto.getRandomValues", "crypto.randomUUID"]);
const functions = new Set(["randomBytes", "randomFillSync", "randomFill", "randomUUID", "randomInt"]);

/** Calls and uses of the process's own clock, timers, randomness and environment. */
export function timeAndChance(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const declared = declaredNames(file);
  const visit = (node: ts.Node): void => {
    if (isTimeOrChance(node, declared)) found.push(`${placeOf(node)}: ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Names the file itself gives to something: a `setImmediate` taken from a scope that was handed in is not the global. */
function declaredNames(file: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) || ts.isBindingElement(node) || ts.isParameter(node)) {
      if (ts.isIdentifier(node.name)) names.add(node.name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return names;
}

function isTimeOrChance(node: ts.Node, declared: ReadonlySet<string>): boolean {
  if (ts.isNewExpression(node))
    return node.expression.getText() === "Date" && (node.arguments?.length ?? 0) === 0;
  if (ts.isCallExpression(node)) return functions.has(node.expression.getText());
  if (ts.isPropertyAccessExpression(node)) return properties.has(node.getText());
  return ts.isIdentifier(node) && globals.has(node.text) && !declared.has(node.text) && isFreeUse(node);
}

/** True where the identifier is read as a value of its own: not a member's name, a parameter or a declaration. */
function isFreeUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return ts.isCallExpression(parent) || ts.isTypeOfExpression(parent) || ts.isElementAccessExpression(parent);
}
