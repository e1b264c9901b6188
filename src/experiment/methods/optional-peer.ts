/** Only a package that is not installed counts as absent; one that is broken says so itself. */
export function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
  throw error;
}
