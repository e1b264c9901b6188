import type { OutputRequest } from "../files/writable.js";

/**
 * The beginning of the HTML pages that a command writes. A later run replaces an existing file only if it begins like
 * this, so it is the same in every version.
 *
 * @param command  such as "audit"
 */
export function pageStart(command: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="spectral-norm ${command}">
`;
}

/** The page that `--report` of a command names. */
export function pageRequest(command: string, path: string): OutputRequest {
  return {
    option: "--report",
    path,
    mark: pageStart(command),
    what: `a report of spectral-norm ${command}`,
    replaced: true,
  };
}
