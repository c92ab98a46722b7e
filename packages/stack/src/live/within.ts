import { CevError } from "@cev/core";
import type { AbortSignalLike, Clock } from "@cev/core";

/** How long something is waited for. */
export interface WaitLimits {
  /** Milliseconds. Default: as long as it takes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignalLike;
}

/**
 * What comes of `work`, unless it takes too long or is called off. Then nobody waits for it any more: what it does all the same must do no
 * harm. `what`: who is waited for, and that nothing has changed, in words. Rejects with `CEV_TIMED_OUT`, `CEV_CANCELLED`, or as `work` does.
 */
export async function within<T>(
  work: Promise<T>,
  { timeoutMs, signal }: WaitLimits,
  { clock, what }: { readonly clock: Clock; readonly what: string },
): Promise<T> {
  const given = Promise.withResolvers<never>();
  const abort = (): void => given.reject(new CevError("CEV_CANCELLED", `the change was called off: ${what}`));
  const timer =
    timeoutMs === undefined
      ? null
      : clock.after(timeoutMs, () =>
          given.reject(
            new CevError("CEV_TIMED_OUT", `${what} within ${timeoutMs} ms, and nothing was changed`),
          ),
        );
  signal?.addEventListener("abort", abort);
  if (signal?.aborted === true) abort();
  try {
    return await Promise.race([work, given.promise]);
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", abort);
  }
}
