import type { Random } from "../../src/random.ts";

/**
 * Shell lines for what LVM2 then does to a group with these volumes: a few commands by chance. One that it refuses (no room, the
 * wrong type) ends nothing.
 */
export function lvmChanges(volumes: readonly string[], random: Random): string {
  const names = [...volumes];
  const lines: string[] = [];
  for (let count = 3 + random.below(4); count > 0; count--) {
    const index = random.below(Math.max(1, names.length));
    const name = names[index];
    const fresh = `k${count}`;
    switch (random.below(name === undefined ? 2 : 8)) {
      case 0:
        lines.push(`try volume ${fresh} -l ${1 + random.below(6)} vg`);
        break;
      case 1:
        lines.push(`try vgchange -q --addtag kernel${count} vg`);
        break;
      case 2:
        lines.push(`try lvrename -q vg ${name!} ${fresh}`);
        break;
      case 3:
        lines.push(`try lvextend -q -l +${1 + random.below(4)} vg/${name!}`);
        break;
      case 4:
        lines.push(`try lvreduce -q -f -l -1 vg/${name!}`);
        break;
      case 5:
        lines.push(`try lvremove -q -y vg/${name!}`);
        break;
      case 6:
        lines.push(`try lvcreate -q -y -s -c 4k -l 6 -n ${fresh} vg/${name!}`);
        break;
      default:
        lines.push(`try pvmove -q -i 0 -n vg/${name!} "$1"`);
    }
  }
  return `${lines.join("\n")}\n`;
}
