import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** A terminal can be had: Python has the calls for one. */
export const hasPty: boolean =
  process.platform !== "win32" && spawnSync("python3", ["-c", "import pty, termios"]).status === 0;

/** What is done at the terminal: once these words were seen it is looked at, and then that is typed, or a signal is sent. */
export interface Step {
  readonly seen: string;
  readonly typed?: string;
  readonly signal?: number;
  readonly isLooked?: boolean;
}

export interface PtyEnded {
  /** Negative: the number of the signal that ended it. */
  readonly status: number;
  /** All that the terminal showed. */
  readonly shown: string;
  /** It echoes, and waits for whole lines, as before: at the end. */
  readonly isAsBefore: boolean;
  /** The same each time it was looked at. */
  readonly looks: readonly boolean[];
  /** What was typed at each step, and when. */
  readonly doneSteps: readonly { readonly typed: string | null; readonly atMs: number }[];
}

const SCRIPT = `
import fcntl, json, os, pty, select, subprocess, sys, termios, time
command, steps, given = json.loads(sys.argv[1])
master, slave = pty.openpty()
def modes():
    return termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
before = modes()
def own():
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
stdin = subprocess.PIPE if given is not None else slave
child = subprocess.Popen(command, stdin=stdin, stdout=slave, stderr=slave, preexec_fn=own)
if given is not None:
    child.stdin.write(given.encode())
    child.stdin.close()
shown, at, deadline = b"", 0, time.time() + 240
looks, done = [], []
while time.time() < deadline:
    ready = select.select([master], [], [], 0.02)[0]
    if ready:
        shown += os.read(master, 4096)
    elif child.poll() is not None:
        break
    while steps and steps[0]["seen"].encode() in shown[at:]:
        step = steps.pop(0)
        at = shown.index(step["seen"].encode(), at) + len(step["seen"])
        if step.get("isLooked"):
            looks.append(modes() == before)
        if "signal" in step:
            child.send_signal(step["signal"])
        elif "typed" in step:
            os.write(master, step["typed"].encode())
        done.append({"typed": step.get("typed"), "atMs": time.time() * 1000})
if child.poll() is None:
    child.kill()
    child.wait()
print(json.dumps({"status": child.returncode, "shown": shown.decode(errors="replace"), "isAsBefore": modes() == before, "looks": looks, "doneSteps": done}))
`;

/** Runs a command at a terminal of its own. `input`: standard input is a pipe with that in it. */
export async function runAtTerminal(
  command: readonly string[],
  steps: readonly Step[],
  input?: string,
): Promise<PtyEnded> {
  const child = spawn("python3", ["-c", SCRIPT, JSON.stringify([command, steps, input ?? null])]);
  let text = "";
  let problems = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (problems += piece));
  await once(child, "close");
  if (text === "") throw new Error(problems);
  return JSON.parse(text) as PtyEnded;
}
