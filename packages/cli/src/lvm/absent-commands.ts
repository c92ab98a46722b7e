import type { Command } from "commander";
import { UsageError } from "../usage-error.ts";

const LVM2_DOES = "LVM2 does that, with the disks in a machine that has it";

/** Commands of LVM2 that are not here, and what to do instead: a guess at what was meant could destroy something. */
const ABSENT: Readonly<Record<string, string>> = {
  pvmove: `extents are not moved here: ${LVM2_DOES}`,
  vgsplit: `groups are not split here: ${LVM2_DOES}`,
  vgmerge: `groups are not merged here: ${LVM2_DOES}`,
  pvdisplay: "cev lvm pvs -v shows that, and -o +COLUMN more",
  vgdisplay: "cev lvm vgs -v shows that, and -o +COLUMN more",
  lvdisplay: "cev lvm lvs -v shows that, and -o +COLUMN more",
  pvscan: "nothing is scanned or remembered: cev lvm pvs looks at the devices that are named",
  vgscan: "nothing is scanned or remembered: cev lvm vgs looks at the devices that are named",
  lvscan: "nothing is scanned or remembered: cev lvm lvs looks at the devices that are named",
};

/** Says of commands that LVM2 has, and cev has not, what to do. */
export function addAbsentCommands(lvm: Command): void {
  for (const [name, advice] of Object.entries(ABSENT)) {
    lvm
      .command(name, { hidden: true })
      .argument("[word...]")
      .allowUnknownOption(true)
      .helpOption(false)
      .action(() => {
        throw new UsageError(`there is no cev lvm ${name}: ${advice}`);
      });
  }
}
