import type { CipherSpec } from "./cipher-spec.ts";
import { IV_LENGTH, benbiShift, createEssiv } from "./iv-generator.ts";
import type { UnitRun } from "./unit-run.ts";

/** The initialization vectors of `count` units, one behind the other: what `IvGenerator` is held equal to. `key`: the whole key. */
export function plainIvs(spec: CipherSpec, key: Uint8Array, units: UnitRun, count: number): Uint8Array {
  const ivs = new Uint8Array(count * IV_LENGTH);
  const view = new DataView(ivs.buffer);
  for (let unit = 0; unit < count; unit++) {
    const number = BigInt(units.sector + unit * units.sectorStep);
    const at = unit * IV_LENGTH;
    switch (spec.iv) {
      case "plain":
        view.setUint32(at, Number(BigInt.asUintN(32, number)), true);
        break;
      case "plain64":
        view.setBigUint64(at, number, true);
        break;
      case "plain64be":
        view.setBigUint64(at + 8, number);
        break;
      case "benbi":
        view.setBigUint64(at + 8, BigInt.asUintN(64, (number << BigInt(benbiShift(spec))) + 1n));
        break;
      case "null":
      case null:
        break;
    }
  }
  return createEssiv(spec, key)?.update(ivs) ?? ivs;
}
