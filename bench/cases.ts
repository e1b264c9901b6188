import type { DType } from "../src/matrix/types.js";

/** How the singular values of a workload fall off. */
export type Spectrum = "gaussian" | "trained" | "clustered";

/** One matrix, or a batch of them, that every contender gets. */
export interface Case {
  /** "64×128 float32 gaussian": what tables and results name it by */
  readonly id: string;
  readonly rows: number;
  readonly cols: number;
  /** matrices in it; 1 unless it is a batch */
  readonly batch: number;
  readonly dtype: DType;
  readonly spectrum: Spectrum;
}

interface Size {
  readonly rows: number;
  readonly cols: number;
  readonly batch: number;
}

/** In ascending order of work. */
const usual = ["8x8", "16x16", "64x128", "256x256", "512x512", "1024x1024", "2048x2048"];
const large = ["4096x4096", "8192x8192", "32x100000", "100000x32", "4096x16x16", "1000x64x128"];

export const spectra: readonly Spectrum[] = ["gaussian", "trained", "clustered"];
export const dtypes: readonly DType[] = ["float32", "float64"];

/** What a run is to measure; lists come from the command line as they are. */
export interface Selection {
  readonly all: boolean;
  readonly quick: boolean;
  readonly cases: readonly string[];
  readonly dtypes: readonly string[];
  readonly spectra: readonly string[];
}

/** The selected cases: sizes ascending, spectra and dtypes within a size. */
export function selectCases({ all, quick, cases, dtypes: types, spectra: kinds }: Selection): Case[] {
  const names = cases.length > 0 ? cases : all ? [...usual, ...large] : quick ? usual.slice(0, -1) : usual;
  const chosenTypes = chosen("dtypes", types, dtypes);
  // The other spectra cost as much again and say little more where only the harness is tried.
  const chosenSpectra = chosen("spectra", kinds.length > 0 || !quick ? kinds : ["gaussian"], spectra);
  return names.map(sizeOf).flatMap((size) =>
    chosenSpectra.flatMap((spectrum) =>
      chosenTypes.map((dtype) => ({
        ...size,
        dtype,
        spectrum,
        id: `${sizeName(size)} ${dtype} ${spectrum}`,
      })),
    ),
  );
}

export function sizeName({ rows, cols, batch }: Size): string {
  const size = rows === cols && batch === 1 ? `${rows}²` : `${rows}×${cols}`;
  return batch === 1 ? size : `${batch} × (${size})`;
}

/** "64x128" or "64×128"; with three numbers the first is the batch. */
function sizeOf(name: string): Size {
  const numbers = name.split(/[x×]/).map(Number);
  if (![2, 3].includes(numbers.length) || !numbers.every((count) => Number.isInteger(count) && count > 0))
    throw new Error(`--cases: expected sizes as 64x128 or, for a batch, 1000x64x128; got "${name}"`);
  const [rows, cols] = numbers.slice(-2);
  return { rows, cols, batch: numbers.length === 3 ? numbers[0] : 1 };
}

function chosen<T extends string>(
  option: string,
  given: readonly string[],
  known: readonly T[],
): readonly T[] {
  for (const name of given)
    if (!known.includes(name as T))
      throw new Error(`--${option}: expected some of ${known.join(", ")}; got "${name}"`);
  return given.length > 0 ? (given as readonly T[]) : known;
}
