import type { Command } from "commander";
import { UsageError } from "../usage-error.ts";

const NOT_MAPPED = "nothing is mapped without a kernel: cev serve opens devices, and ends with them";
const OTHER_FORMAT = "only LUKS and plain dm-crypt are read here: cryptsetup does that";

/** Commands of cryptsetup that are not here, and what to do instead: a guess at what was meant could destroy something. */
const ABSENT: Readonly<Record<string, string>> = {
  close: NOT_MAPPED,
  luksClose: NOT_MAPPED,
  remove: NOT_MAPPED,
  create: "cev serve opens plain devices; cev crypt luksFormat makes LUKS devices",
  plainOpen: "cev serve and cev copy open plain devices",
  status: "cev crypt luksDump shows what a header says, and cev inspect what is in an image",
  resize: "the data reaches to the end of the device by itself, unless the header says how long it is",
  refresh: "cev crypt config --flags keeps flags in the header, for whoever opens it next",
  luksSuspend: NOT_MAPPED,
  luksResume: NOT_MAPPED,
  reencrypt:
    "nothing is reencrypted in place: make a new device with cev crypt luksFormat, and copy with cev copy",
  tcryptDump: OTHER_FORMAT,
  tcryptOpen: OTHER_FORMAT,
  bitlkDump: OTHER_FORMAT,
  bitlkOpen: OTHER_FORMAT,
  fvault2Dump: OTHER_FORMAT,
  fvault2Open: OTHER_FORMAT,
  loopaesOpen: OTHER_FORMAT,
};

/** Says of commands that cryptsetup has, and cev has not, what to do. */
export function addAbsentCommands(crypt: Command): void {
  for (const [name, advice] of Object.entries(ABSENT)) {
    crypt
      .command(name, { hidden: true })
      .argument("[word...]")
      .allowUnknownOption(true)
      .helpOption(false)
      .action(() => {
        throw new UsageError(`there is no cev crypt ${name}: ${advice}`);
      });
  }
}
