/** The command was called the wrong way: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
