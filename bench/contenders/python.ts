import { type Contender, type ContenderGroup, cubic } from "../contender.js";
import { answeringContenders, type Described } from "./answering.js";

const onlyOne: Contender["declines"] = ({ batch }) => (batch > 1 ? "takes one matrix" : undefined);
const always: Contender["declines"] = () => undefined;
/** Reads of A that an iteration takes, two flops an entry and slower than memory in one thread. */
const iterative: Contender["roughSeconds"] = ({ rows, cols }) => 5e-8 * rows * cols;
const arpack: Described = {
  engine: "scipy",
  tasks: ["triplet"],
  roughSeconds: iterative,
  declines: (of) =>
    onlyOne(of) ?? (Math.min(of.rows, of.cols) < 2 ? "needs more than one singular value" : undefined),
};
const double: Contender["declines"] = (of) =>
  onlyOne(of) ?? (of.dtype === "float32" ? "is measured in float64" : undefined);
const lowRank: Described = {
  engine: "torch",
  tasks: ["triplet"],
  roughSeconds: iterative,
  declines: (of) =>
    onlyOne(of) ?? (Math.min(of.rows, of.cols) < 6 ? "needs six singular values or more" : undefined),
};
const slepc: Described = {
  engine: "slepc4py",
  tasks: ["triplet"],
  roughSeconds: iterative,
  declines: double,
};

const rows: Readonly<Record<string, Described>> = {
  "PyTorch matrix_norm(2), backward": {
    engine: "torch",
    tasks: ["gradient"],
    dense: true,
    takesComplex: true,
    roughSeconds: (of) => 5e-10 * cubic(of),
    declines: always,
  },
  "PyTorch svd_lowrank(q=6, niter=2)": lowRank,
  "PyTorch svd_lowrank(q=6, niter=30)": lowRank,
  "SciPy svds(k=1)": { ...arpack, takesComplex: true },
  "SciPy svds(k=1, tol=1e-5)": arpack,
  "SciPy svds(k=1, solver=propack)": {
    ...arpack,
    // In float32 SciPy 1.10 returns four digits of it, or does not converge.
    declines: (of) => double(of) ?? arpack.declines(of),
  },
  "SLEPc TRLanczos": slepc,
  "SLEPc TRLanczos, tol=1e-14": slepc,
  "NumPy linalg.norm(2)": {
    engine: "numpy",
    tasks: ["value"],
    dense: true,
    roughSeconds: (of) => 3e-10 * cubic(of),
    declines: always,
  },
  "NumPy svdvals": {
    engine: "numpy",
    tasks: ["values"],
    dense: true,
    roughSeconds: (of) => 3e-10 * cubic(of),
    declines: double,
  },
};

const HOW_TO =
  "PyTorch, SciPy, NumPy, SLEPc: --python PATH, of a Python that has torch, scipy, numpy and slepc4py, adds their rows " +
  "(Debian: apt-get install --no-install-recommends python3-torch python3-scipy python3-slepc4py)";

const LIBRARIES: Readonly<Record<string, string>> = {
  torch: "matrix_norm, svd_lowrank",
  scipy: "svds by ARPACK and PROPACK",
  slepc4py: "SLEPc's TRLanczos",
};

/** PyTorch, SciPy, SLEPc and NumPy, with one thread and with all of the machine's. */
export async function pythonContenders(
  path: string | undefined,
  script: string,
  folder: string,
): Promise<ContenderGroup> {
  if (path === undefined) return { contenders: [], missing: [HOW_TO] };
  return answeringContenders(
    { path, parts: [script], folder, name: "python" },
    (name) => rows[name],
    HOW_TO,
    (versions) =>
      Object.entries(LIBRARIES)
        .filter(([name]) => !(name in versions))
        .map(
          ([name, what]) =>
            `${name} (${what}): the Python that was found does not have it; Debian's is python3-${name}`,
        ),
  );
}
