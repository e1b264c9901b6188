import fc from "fast-check";

/**
 * What a run of fast-check found, with the error and the way back to it: to the case as it came, which then is made
 * smaller again, since the way to the smallest may be thousands of numbers long. Undefined where it found nothing.
 */
export function reported<T>(details: fc.RunDetails<T>, name: string): string | undefined {
  if (!details.failed) return undefined;
  const { errorInstance: error, seed, counterexamplePath: path } = details;
  const why = error instanceof Error ? error.stack : String(error);
  return `${fc.defaultReportMessage(details)}\n${why}\nAgain: npm run fuzz -- --part ${name} --seed ${seed} --path ${path?.split(":")[0]}`;
}
