/** A kind of file that the page takes, by the ends of names. */
interface Kind {
  readonly ends: readonly string[];
  /** in words, for the reader */
  readonly called: string;
  /** "parts" are read with the model whose description names them */
  readonly holds: "matrices" | "model" | "parts";
}

/** All kinds; nothing else on the page says what can be read. */
const kinds: readonly Kind[] = [
  { ends: [".npy", ".npz"], called: "NumPy", holds: "matrices" },
  { ends: [".mtx"], called: "Matrix Market", holds: "matrices" },
  { ends: [".petsc"], called: "PETSc", holds: "matrices" },
  { ends: [".csv", ".tsv"], called: "text", holds: "matrices" },
  { ends: [".safetensors"], called: "weights", holds: "model" },
  { ends: [".json"], called: "a TensorFlow.js model or an index, with the files it names", holds: "model" },
  { ends: [".bin"], called: "", holds: "parts" },
];

/** What a field for files is told. */
export const accepted = kinds.flatMap(({ ends }) => ends).join(",");

/** The same for the reader: ".npy, .npz (NumPy), …" */
export const described = kinds
  .filter(({ called }) => called !== "")
  .map(({ ends, called }) => `${ends.join(", ")} (${called})`)
  .join(" · ");

/** What is to be expected in a file; of one of no kind, matrices, as its first bytes may tell. */
export function holds(name: string): Kind["holds"] {
  return kinds.find(({ ends }) => ends.some((end) => name.toLowerCase().endsWith(end)))?.holds ?? "matrices";
}
