/** What was asked for is not done, and nothing was written: the message says why, in one line. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}
