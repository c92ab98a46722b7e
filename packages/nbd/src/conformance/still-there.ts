import type { Bench } from "./bench.ts";
import { readGreeting } from "./haggling.ts";
import { Unreachable } from "./violation.ts";

/** Between two attempts: whoever serves one client after another may not be done with the last. */
const RETRY_MS = 100;

/**
 * Whether the server still lets a client come as far as it did before the checks: to the export. That a connection is taken says
 * nothing, since the system takes it for a process that is ending, too.
 */
export async function isStillThere(makeBench: () => Bench): Promise<boolean> {
  const first = makeBench();
  const { clock } = first.environment;
  const end = clock.now() + first.timeoutMs;
  for (let bench = first; ; bench = makeBench()) {
    try {
      await comeIn(bench);
      return true;
    } catch (error) {
      bench.signal?.throwIfAborted();
      if (error instanceof Unreachable || clock.now() >= end) return false;
      await bench.pause(RETRY_MS);
    } finally {
      await bench.end();
    }
  }
}

async function comeIn(bench: Bench): Promise<void> {
  const { simple, handshakeFlags } = bench.survey;
  if (simple !== null) {
    await bench.enter();
    return;
  }
  const wire = await bench.connect();
  if (handshakeFlags !== 0) await readGreeting(wire);
}
