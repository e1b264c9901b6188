// The script of the coordinating thread. The build bundles this file with the core and inlines it as text. What the
// package holds already (the kernels and the script of a worker) is not bundled: the coordinator passes it in.
import { complexComputations } from "../complex/complex-computations.js";
import * as core from "../index.js";
import { useThreadPool } from "../kernels/select.js";
import { registerComplex } from "../matrix/complex-input.js";
import type { FunctionName } from "./async-functions.js";
import { packError } from "./failure.js";
import type { CoordinatorInit, PackedMatrix, Reply, Request } from "./messages.js";
import { parentPort } from "./port.js";
import { startTeam } from "./start-team.js";
import { cores } from "./worker.js";

// Listed by name, so that the bundle holds these functions of the core and no others.
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

registerComplex(complexComputations);

const port = parentPort();
const post = (reply: Reply, transfer?: readonly ArrayBuffer[]) => port.post(reply, transfer);
let chosen: Request["kernels"] = "auto";

async function start({ count }: CoordinatorInit): Promise<void> {
  try {
    if (count > 1) useThreadPool(await startTeam(count, undefined, cores()));
    post({ value: "ready" });
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

/** The buffers of all arrays in a result, without repetition. */
function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null)
    for (const part of Object.values(value)) buffersOf(part, found);
  return found;
}

port.listen((message) => {
  if ("count" in (message as CoordinatorInit)) void start(message as CoordinatorInit);
  else answer(message as Request);
});
