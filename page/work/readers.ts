/** A kind of file that the page reads, with its extensions. */
interface Kind {
  readonly ends: readonly string[];
  /** its name, for the reader */
  readonly called: string;
  /** "parts" are read with the model that names them, or are models of PyTorch */
  readonly holds: "matrices" | "model" | "parts";
}

/** All kinds of files that can be read. */
const kinds: readonly Kind[] = [
  { ends: [".npy", ".npz"], called: "NumPy, SciPy", holds: "matrices" },
  { ends: [".mtx", ".mtx.gz"], called: "Matrix Market", holds: "matrices" },
  { ends: [".mat"], called: "MATLAB", holds: "matrices" },
  { ends: [".petsc"], called: "PETSc", holds: "matrices" },
  { ends: [".csv", ".tsv"], called: "text", holds: "matrices" },
  { ends: [".gz"], called: "", holds: "matrices" },
  { ends: [".safetensors"], called: "weights", holds: "model" },
  { ends: [".onnx"], called: "ONNX", holds: "model" },
  { ends: [".gguf"], called: "llama.cpp", holds: "model" },
  { ends: [".pt", ".pth", ".ckpt"], called: "PyTorch", holds: "model" },
  { ends: [".keras", ".h5"], called: "Keras", holds: "model" },
  { ends: [".json"], called: "TensorFlow.js, or an index, with the files it names", holds: "model" },
  { ends: [".bin"], called: "PyTorch, or a part of a model", holds: "parts" },
];

/** The `accept` attribute of the file field. */
export const accepted = kinds.flatMap(({ ends }) => ends).join(",");

/** The same for the reader: ".npy, .npz (NumPy), …" */
export const described = kinds
  .filter(({ called }) => called !== "")
  .map(({ ends, called }) => `${ends.join(", ")} (${called})`)
  .join(" · ");

function kindOf(name: string): Kind | undefined {
  return kinds.find(({ ends }) => ends.some((end) => name.toLowerCase().endsWith(end)));
}

/** Whether the name is that of a kind of file that can be read. */
export function isKnown(name: string): boolean {
  return kindOf(name) !== undefined;
}

/** What a file holds, by its name; unknown names may be matrices, which their first bytes tell. */
export function holds(name: string): Kind["holds"] {
  return kindOf(name)?.holds ?? "matrices";
}
