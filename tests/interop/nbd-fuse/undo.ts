/** What has to be taken back, newest first, whatever happens in between. */
export class Undo implements AsyncDisposable {
  readonly #steps: { readonly what: string; readonly back: () => Promise<unknown> }[] = [];

  push(what: string, back: () => Promise<unknown>): void {
    this.#steps.push({ what, back });
  }

  /** Takes all back. One that fails keeps no other from it, and is told at the end. */
  async all(): Promise<void> {
    const failed: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.back();
      } catch (error) {
        failed.push(`${step.what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (failed.length > 0) throw new Error(`left behind: ${failed.join("; ")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.all();
  }
}
