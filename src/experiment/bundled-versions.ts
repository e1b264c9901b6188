/** Defined by the build: the versions of this package and of the packages in the bundle of the command. */
declare const BUNDLED_VERSIONS: Readonly<Record<string, string>> | undefined;

/** The version of this package or of a bundled one; "unbundled" when run from source. */
export function version(name: string): string {
  return (typeof BUNDLED_VERSIONS === "undefined" ? undefined : BUNDLED_VERSIONS[name]) ?? "unbundled";
}
