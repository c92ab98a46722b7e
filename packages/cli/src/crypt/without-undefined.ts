/** Without what was not given. */
export function withoutUndefined<Settings extends object>(settings: Settings): Given<Settings> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Given<Settings>;
}

/** Members are there or not, and are never undefined. */
type Given<Settings> = { [Name in keyof Settings]?: Exclude<Settings[Name], undefined> };
