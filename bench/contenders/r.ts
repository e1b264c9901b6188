import { availableParallelism } from "node:os";
import { type Contender, type ContenderGroup, threadsText } from "../contender.js";
import { AnsweringProcess, type Greeting } from "./answering.js";

const HOW_TO =
  "irlba, RSpectra: R with these packages adds their rows " +
  "(Debian: apt-get install --no-install-recommends r-base-core r-cran-irlba r-cran-rspectra)";

/** R's irlba and RSpectra, with one thread of its BLAS and with all of the machine's; float64 is all that R has. */
export async function rContenders(script: string, folder: string): Promise<ContenderGroup> {
  const processes: AnsweringProcess[] = [];
  const close = () => {
    for (const process of processes) process.close();
  };
  const contenders: Contender[] = [];
  let versions: Greeting["versions"] = {};
  for (const threads of new Set([1, availableParallelism()])) {
    const process = new AnsweringProcess({
      path: "Rscript",
      parts: ["--vanilla", script],
      threads,
      folder,
      name: `r-${threads}`,
    });
    processes.push(process);
    try {
      const greeting = await process.greeting();
      ({ versions } = greeting);
      for (const name of greeting.names)
        contenders.push({
          name: `${name}, ${threadsText(threads)}`,
          engine: name.startsWith("irlba") ? "irlba" : "RSpectra",
          ours: false,
          tasks: ["triplet"],
          threads,
          roughSeconds: ({ rows, cols }) => 1e-7 * rows * cols,
          declines: declinedBy,
          load: (workload) => process.load(name, workload),
        });
    } catch (error) {
      close();
      return {
        contenders: [],
        missing: [`${HOW_TO} (${error instanceof Error ? error.message : String(error)})`],
      };
    }
  }
  const missing = ["irlba", "RSpectra"]
    .filter((name) => !(name in versions))
    .map(
      (name) => `${name}: the R that was found does not have it; Debian's is r-cran-${name.toLowerCase()}`,
    );
  return { contenders, versions, missing, close };
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
