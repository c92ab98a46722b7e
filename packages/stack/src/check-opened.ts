/** Drivers of others may be written without types: what they give is looked at before anything relies on it. */
export function checkOpened(opened: unknown): void {
  if (!Array.isArray(opened)) throw new TypeError("open gave no list of devices");
  for (const [index, device] of (opened as readonly unknown[]).entries()) {
    const at = `of device ${index} that open gave`;
    if (!isRecord(device)) throw new TypeError(`${at.slice(3)} is ${typeof device}, and no object`);
    const { layer } = device;
    if (!isRecord(layer)) throw new TypeError(`the layer ${at} is missing`);
    const missing = [
      ...FUNCTIONS.filter((name) => typeof layer[name] !== "function"),
      ...OBJECTS.filter((name) => !isRecord(layer[name])),
    ];
    if (missing.length > 0)
      throw new TypeError(`the layer ${at} lacks ${missing.join(", ")}: extend LayerBase or AsyncLayer`);
  }
}

const FUNCTIONS = ["open", "submit", "close", "describe"] as const;
const OBJECTS = ["lowers", "limits", "support", "claims"] as const;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
