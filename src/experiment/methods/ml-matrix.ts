import { Matrix, SVD } from "ml-matrix";
import { version } from "../bundled-versions.js";
import { addOuter } from "../ground-truth.js";
import { inProcess, isAffordable, type MethodGroup } from "../method.js";
import { withoutSecondOrder } from "../second-order-method.js";

/** ml-matrix's full SVD in float64, the usual choice in TypeScript, for comparison. */
export function mlMatrixMethods(rows: number, cols: number): MethodGroup {
  if (!isAffordable(rows, cols))
    return { methods: [], missing: "ml-matrix: its SVD takes too long above 512×512 to be measured here" };
  const method = inProcess<Matrix>({
    name: "SVD",
    engine: "ml-matrix",
    dtype: "float64",
    runs: "new SVD(A, { autoTranspose: true }) and u₁v₁ᵀ",
    load: ({ data, rows, cols }) => Matrix.from1DArray(rows, cols, data),
    run: (A) => {
      const decomposition = new SVD(A, { autoTranspose: true });
      const gradient = new Float64Array(A.rows * A.columns);
      addOuter(
        gradient,
        decomposition.leftSingularVectors.getColumn(0),
        decomposition.rightSingularVectors.getColumn(0),
        1,
      );
      return { value: decomposition.diagonal[0], gradient };
    },
  });
  const { name, engine, dtype } = method;
  const secondOrder = [
    withoutSecondOrder({ name, engine, dtype }, "it returns u and v as numbers, which have no derivative"),
  ];
  return { methods: [method], secondOrder, versions: { "ml-matrix": version("ml-matrix") } };
}
