#!/usr/bin/env node
import { ExitStatus } from "./exit-status.ts";
import { main } from "./main.ts";
import { complainOfError } from "./output.ts";

// What nobody caught is a bug of ours: one line of it is enough for whoever runs the command.
process.on("uncaughtException", (error) => {
  complainOfError(error);
  process.exit(ExitStatus.failed);
});

process.exitCode = await main(process.argv.slice(2));
