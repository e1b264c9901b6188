import type { Bounds } from "../audit/bounds.js";
import type { EngineTriplet } from "../engines/slepc.js";
import type { FileMatrix, FilePanels, SkippedEntry } from "../files/entry.js";
import type { RowsEntry } from "../files/open-rows.js";
import { jsonLine, oneLine } from "../files/text.js";
import type { SingularTriplet } from "../index.js";
import type { NormRow } from "./norm-table.js";

/** The types that are computed in as they are stored. */
const AS_STORED: readonly string[] = ["float32", "float16", "complex64", "complex128"];

/** The precision of the computation: that of the file, double for integers and for another engine. */
function computedDtype(entry: SolvedEntry): string {
  return !("rows" in entry) && AS_STORED.includes(entry.dtype) ? entry.dtype : "float64";
}

export type SolvedEntry = FileMatrix | FilePanels | RowsEntry;
export type FoundTriplet = SingularTriplet | EngineTriplet;
type PrintNorm = (
  file: string,
  entry: SolvedEntry,
  triplet: FoundTriplet,
  certificate: Bounds | undefined,
) => void;

export function jsonLines(stdout: { write(text: string): unknown }): PrintNorm {
  return (file, entry, triplet, certificate) => {
    const { method, sigma, residual, gap, gradientError, iterations, passes, converged, tied } = triplet;
    // JSON.stringify writes null for what is infinite or NaN.
    const line = jsonLine({
      file,
      ...(entry.key !== undefined && { key: entry.key }),
      rows: entry.shape[0],
      cols: entry.shape[1],
      dtype: computedDtype(entry),
      method,
      sigma,
      residual,
      gap,
      gradientError,
      iterations,
      passes,
      converged,
      tied,
      ...(certificate && {
        lower: certificate.lower,
        upper: certificate.upper,
        sigma2Upper: certificate.sigma2Upper,
        gradientErrorBound: certificate.gradientErrorBound,
        proven: certificate.proven,
      }),
    });
    stdout.write(`${line}\n`);
  };
}

/** Collects the rows of the table. */
export function intoTable(rows: NormRow[]): PrintNorm {
  return (file, entry, { sigma, gradientError, method, converged, tied }, certificate) => {
    const { key, shape } = entry;
    const dtype = computedDtype(entry);
    rows.push({ file, key, shape, dtype, method, sigma, gradientError, converged, tied, certificate });
  };
}

/** An entry of a file that was left out. */
export type LeftOutEntry = SkippedEntry & { readonly file: string };

/** The names of what was left out, one on each line. */
export function leftOutText(all: readonly LeftOutEntry[]): string {
  if (all.length === 0) return "";
  const lines = all.map(({ file, key, reason }) => `  ${oneLine(file)} ${oneLine(key)}: ${oneLine(reason)}`);
  return ["", "Left out:", ...lines, ""].join("\n");
}
