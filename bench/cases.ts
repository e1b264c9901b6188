import type { DType } from "../src/matrix/types.js";

/** How the singular values of a workload fall off. */
export type Spectrum = "gaussian" | "trained" | "clustered";

/** How the entries lie in memory; half precision is measured where a pass that reads half the bytes can show. */
export type Storage = DType | "bfloat16" | "complex64" | "complex128";

/** One matrix, or a batch of them, that every contender gets. */
export interface Case {
  /** "64×128 float32 gaussian": what tables and results name it by */
  readonly id: string;
  readonly rows: number;
  readonly cols: number;
  /** matrices in it; 1 unless it is a batch */
  readonly batch: number;
  /** of the arithmetic, and of what comes back */
  readonly dtype: DType;
  readonly stored: Storage;
  readonly spectrum: Spectrum;
}

interface Size {
  readonly rows: number;
  readonly cols: number;
  readonly batch: number;
}

/** In ascending order of work; batches last. */
const sizes = [
  "8x8",
  "16x16",
  "64x128",
  "256x256",
  "512x512",
  "1024x1024",
  "2048x2048",
  "32x100000",
  "100000x32",
  "4096x4096",
  "8192x8192",
  "4096x16x16",
  "1000x64x128",
];
/** The sizes of `--quick`. */
const quickSizes = ["8x8", "64x128", "256x256", "512x512", "1024x1024", "1000x64x128"];

/** The size measured in half precision too: larger than the caches, so a pass is limited by memory. */
const HALVES = "2048x2048";

export const spectra: readonly Spectrum[] = ["gaussian", "trained", "clustered"];
const storages: readonly Storage[] = ["float32", "float64", "bfloat16", "complex64", "complex128"];

/** The sizes measured with complex entries too. */
const COMPLEX = ["64x128", "256x256", "512x512", "1024x1024"];

/** Whether the entries of a case are complex; `dtype` is then that of their parts. */
export function isComplexCase({ stored }: Pick<Case, "stored">): boolean {
  return stored.startsWith("complex");
}

/** Cases with complex entries alone, as in `bench:complex`. */
export const complexStorages = ["complex64", "complex128"];

/** The selection of cases; lists are as typed. */
interface Selection {
  readonly all: boolean;
  readonly quick: boolean;
  readonly cases: readonly string[];
  readonly dtypes: readonly string[];
  readonly spectra: readonly string[];
}

/** The selected cases, sizes ascending, spectra and dtypes within a size; the name "none" selects none. */
export function selectCases({ all, quick, cases, dtypes, spectra: kinds }: Selection): Case[] {
  if (cases.length === 1 && cases[0] === "none") return [];
  const onlyComplex = dtypes.length > 0 && dtypes.every((name) => complexStorages.includes(name));
  const usual = onlyComplex ? COMPLEX : quick && !all ? quickSizes : sizes;
  const names = cases.length > 0 ? cases : usual;
  const chosenStorages = chosen("dtypes", dtypes, storages);
  const chosenSpectra = chosen("spectra", kinds.length > 0 || all ? kinds : ["gaussian"], spectra);
  return names.flatMap((name) => {
    const size = sizeOf(name);
    return chosenSpectra.flatMap((spectrum) => {
      return chosenStorages.flatMap((stored): Case[] => {
        if (stored === "bfloat16" && (size.batch > 1 || spectrum !== "gaussian")) return [];
        if (stored === "bfloat16" && dtypes.length === 0 && name !== HALVES) return [];
        if (stored.startsWith("complex")) {
          if (size.batch > 1 || spectrum !== "gaussian") return [];
          if (dtypes.length === 0 && !COMPLEX.includes(name)) return [];
        }
        const single = stored === "bfloat16" || stored === "float32" || stored === "complex64";
        const id = `${sizeName(size)} ${stored} ${spectrum}`;
        return [{ ...size, dtype: single ? "float32" : "float64", stored, spectrum, id }];
      });
    });
  });
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
