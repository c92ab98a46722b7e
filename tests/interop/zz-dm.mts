import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { openGroup } from "/work/main/tests/interop/lvm-matrix/open-group.ts";
import { Random } from "/work/main/tests/interop/src/random.ts";
const images = [1,2,3,4,5].map((i) => new Uint8Array(readFileSync(`/tmp/dmr/${i}.img`)));
const miss = process.argv[2] === undefined ? [] : process.argv[2].split(",").map(Number);
const stack = await openGroup(images.map((b, i) => (miss.includes(i) ? null : b)), new Random(1));
for (const problem of (stack as any).problems ?? []) console.log("problem", problem.message.slice(0, 300));
console.log(Object.keys(stack as any));
for (const entry of (stack as any).devices) {
  const name = entry.name;
  if (!String(name).startsWith("vg/")) continue;
  try { const device = await stack.open(name); const bytes = await device.read(0, device.size); console.log(name, createHash("sha256").update(bytes).digest("hex"), entry.state ?? ""); }
  catch (error) { console.log(name, String(error)); }
}
await stack.close?.();
