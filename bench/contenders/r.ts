import type { Contender, ContenderGroup } from "../contender.js";
import { answeringContenders } from "./answering.js";

const HOW_TO =
  "irlba, RSpectra: R with these packages adds their rows " +
  "(Debian: apt-get install --no-install-recommends r-base-core r-cran-irlba r-cran-rspectra)";

/** R's irlba and RSpectra, with one thread of its BLAS and with all of the machine's; float64 is all that R has. */
export function rContenders(script: string, folder: string): Promise<ContenderGroup> {
  return answeringContenders(
    { path: "Rscript", parts: ["--vanilla", script], folder, name: "r" },
    (name) => ({
      engine: name.startsWith("irlba") ? "irlba" : "RSpectra",
      tasks: ["triplet"],
      roughSeconds: ({ rows, cols }) => 1e-7 * rows * cols,
      declines: declinedBy,
    }),
    HOW_TO,
    (versions) =>
      ["irlba", "RSpectra"]
        .filter((name) => !(name in versions))
        .map(
          (name) =>
            `${name}: the R that was found does not have it; Debian's is r-cran-${name.toLowerCase()}`,
        ),
  );
}

const declinedBy: Contender["declines"] = ({ batch, dtype, rows, cols }) =>
  batch > 1
    ? "takes one matrix"
    : dtype === "float32"
      ? "has float64 only"
      : // irlba warns, and both hand over to a dense SVD.
        Math.min(rows, cols) <= 16
        ? "is for larger matrices"
        : undefined;
