// Answers like `cryptsetup` to `luksDump FILE` and `token remove --token-id N FILE`, as far as cryptsetup's luks2-validation-test looks.
import { closeTree, environmentFrom, formatError, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import { luksDump, tokenRemove } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";

const [command, ...rest] = process.argv.slice(2);
const path = rest.at(-1)!;
const environment = environmentFrom(globalThis);

const answer = answerTo();
if (answer === null) {
  console.error(`what to do with ${JSON.stringify(process.argv.slice(2))} is not known`);
  process.exit(64);
}
const file = await FileLayer.at(environment, { path, readOnly: command === "luksDump" });
try {
  await openTree(file);
  await answer(file);
} catch (error) {
  console.error(formatError(error));
  process.exitCode = 1;
} finally {
  await closeTree(file);
}

function answerTo(): ((lower: Layer) => Promise<void>) | null {
  if (command === "luksDump")
    return async (lower) => console.log(await luksDump(lower, { environment, name: path }));
  const id = Number(rest[rest.indexOf("--token-id") + 1]);
  if (command === "token" && rest[0] === "remove" && Number.isInteger(id))
    return (lower) => tokenRemove(lower, { environment, name: path, id });
  return null;
}
