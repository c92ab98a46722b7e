/** Drivers of others may be written without types: what they give is looked at before anything relies on it. */
export function checkOpened(opened: unknown): void {
  if (!Array.isArray(opened)) throw new TypeError("open gave no list of devices");
  for (const [index, device] of (opened as readonly unknown[]).entries()) {
    const at = `of device ${index} that open gave`;
    if (!isRecord(device)) throw new TypeError(`${at.slice(3)} is ${typeof device}, and no object`);
    const { layer, name, state, details } = device;
    if (!isRecord(layer)) throw new TypeError(`the layer ${at} is missing`);
    const missing = [
      ...FUNCTIONS.filter((name) => typeof layer[name] !== "function"),
      ...OBJECTS.filter((name) => !isRecord(layer[name])),
    ];
    if (missing.length > 0)
      throw new TypeError(`the layer ${at} lacks ${missing.join(", ")}: extend LayerBase or AsyncLayer`);
    if (name !== null && typeof name !== "string")
      throw new TypeError(`the name ${at} is neither text nor null, which is for the only one`);
    if (typeof state !== "string") throw new TypeError(`the state ${at} is no text, such as "clean"`);
    if (!isRecord(details)) throw new TypeError(`the details ${at} are no object; there may be none in it`);
  }
}

const FUNCTIONS = ["open", "submit", "close", "describe"] as const;
const OBJECTS = ["lowers", "limits", "support", "claims"] as const;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
