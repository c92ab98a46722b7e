/** The server did what the document does not allow, or did not do what it demands. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** The connection ended where an answer had to come. */
export class ConnectionEnded extends Violation {}

/** No connection came about at all. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** What a check wanted to look at is not there, for a reason that is no fault. */
export class NotApplicable extends Error {
  override readonly name = "NotApplicable";
}

/** Throws a `Violation` where something does not hold. */
export function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what);
}

/** Throws a `Violation` where two numbers or texts differ. */
export function demandEqual(
  actual: number | string | bigint | boolean,
  expected: number | string | bigint | boolean,
  what: string,
): void {
  if (actual !== expected) throw new Violation(`${what}: ${actual}, where it has to be ${expected}`);
}

/** Ends a check that has nothing to look at. */
export function notApplicable(why: string): never {
  throw new NotApplicable(why);
}
