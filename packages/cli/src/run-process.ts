import { ExitStatus } from "./exit-status.ts";
import { main } from "./main.ts";
import { complainOfError } from "./output.ts";

/** Runs the command with the arguments of this process, and sets its exit status. */
export async function runProcess(): Promise<void> {
  // What nobody caught is a bug of ours: one line of it is enough for whoever runs the command.
  process.on("uncaughtException", (error) => {
    complainOfError(error);
    process.exit(ExitStatus.failed);
  });
  process.exitCode = await main(process.argv.slice(2));
}
