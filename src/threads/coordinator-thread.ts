// Where the coordinating thread begins. The build bundles this file with the core and inlines it as text; what it
// would have in common with the text around it (the kernels, the script of a crew's members) is put before it.
import * as core from "../index.js";
import { useThreadPool } from "../kernels/select.js";
import { packError } from "./failure.js";
import { parentPort } from "./port.js";
import type { Beginning, FunctionName, PackedMatrix, Reply, Request } from "./request.js";
import { startCrew } from "./start-team.js";

const functions: Readonly<Record<FunctionName, unknown>> = {
  spectralNorm: core.spectralNorm,
  valueAndGrad: core.valueAndGrad,
  singularTriplet: core.singularTriplet,
  singularTriplets: core.singularTriplets,
  tripletVjp: core.tripletVjp,
  hessianVectorProduct: core.hessianVectorProduct,
  spectralNormBatch: core.spectralNormBatch,
  valueAndGradBatch: core.valueAndGradBatch,
  svdvals: core.svdvals,
  cond: core.cond,
  matrixNorm: core.matrixNorm,
  kyFanNorm: core.kyFanNorm,
  schattenNorm: core.schattenNorm,
  certify: core.certify,
};

const port = parentPort();
const post = (reply: Reply, transfer?: readonly ArrayBuffer[]) => port.post(reply, transfer);
let chosen: Request["kernels"] = "auto";

async function begin({ count }: Beginning): Promise<void> {
  try {
    if (count > 1) useThreadPool(await startCrew(count));
    post({ value: "begun" });
  } catch (error) {
    post({ error: packError(error) });
  }
}

function answer({ id, name, kernels, matrices, rest }: Request): void {
  try {
    if (kernels !== chosen) {
      core.setKernels(kernels);
      chosen = kernels;
    }
    const compute = functions[name] as (...args: unknown[]) => unknown;
    const value = compute(...matrices.map(unpacked), ...rest);
    post({ id, value }, [...buffersOf(value)]);
  } catch (error) {
    post({ id, error: packError(error) });
  }
}

function unpacked(matrix: PackedMatrix): unknown {
  return matrix.kind === "sparse" ? core.csr(matrix.parts) : matrix;
}

/** The memory of all arrays in a result, each once. */
function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null)
    for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}

port.listen((message) => {
  if ("count" in (message as Beginning)) void begin(message as Beginning);
  else answer(message as Request);
});
