import { testLayer } from "@cev/test-kit";
import { describe, test } from "vitest";
import { KINDS, adapters, disk, diskSupport, emulation, raid5, split } from "../kinds.ts";

for (const kind of [...KINDS, adapters, emulation, split]) {
  testLayer(
    {
      name: `${kind.name} over disks`,
      manifest: {
        support: kind.support(diskSupport),
        canHideErrors: kind === raid5,
        lostLowersMax: kind === raid5 ? 1 : 0,
      },
      create: (bench) => kind.over(disk)(bench, 131_072),
    },
    { describe, test },
  );
}
