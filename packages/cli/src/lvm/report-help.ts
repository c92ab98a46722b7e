/** What the help texts of the reports say after the list of options. */

const COLUMNS = `
Columns, their headings, units and the letters under Attr are LVM2's. What only a running kernel
knows stays empty or is as of a group that is not active: active and open (5th and 6th letter of
lvs), Data%, Meta%, Cpy%Sync, whether images are in sync. --json prints what LVM2 prints with
--reportformat json, with "problems" beside "report".
`;

export const PVS_HELP: string = withColumns(`
Examples:
  $ cev lvm pvs d0.img d1.img
  $ cev lvm pvs sda.img -o +pv_used,pv_uuid --units b       partitions are found, too
  $ cev lvm pvs --segments d0.img d1.img -o +lv_name        what lies where?
`);

export const VGS_HELP: string = withColumns(`
Examples:
  $ cev lvm vgs d0.img d1.img
  $ cev lvm vgs vg0 --devices d*.img -o vg_name,vg_free --units m --noheadings
  $ cev lvm vgs d*.img --json | jq -r '.report[0].vg[].vg_name'
`);

export const LVS_HELP: string = withColumns(`
Examples:
  $ cev lvm lvs d0.img d1.img
  $ cev lvm lvs -a -o +devices d0.img d1.img                hidden volumes, and what they lie on
  $ cev lvm lvs vg0/root --devices d*.img -o lv_size --units b --noheadings --nosuffix
  $ cev lvm lvs --segments -a d0.img d1.img
`);

function withColumns(text: string): string {
  return text + COLUMNS;
}
