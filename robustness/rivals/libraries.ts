import type { Answer } from "../judge.js";
import type { Given } from "../rival.js";
import { outer } from "./ours.js";

type Call = (given: Given) => Answer | Promise<Answer>;

function nested({ data, rows, cols }: Given, transposed: boolean): number[][] {
  const [m, n] = transposed ? [cols, rows] : [rows, cols];
  return Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j) => (transposed ? data[j * cols + i] : data[i * cols + j])),
  );
}

/** Libraries of plain JavaScript; `require` finds those that only the rivals' own package has. */
export function libraries(require: NodeJS.Require): Readonly<Record<string, Call>> {
  return {
    async "ml-matrix"({ data, rows, cols }) {
      const { Matrix, SVD } = await import("ml-matrix");
      const {
        diagonal,
        leftSingularVectors: U,
        rightSingularVectors: V,
      } = new SVD(Matrix.from1DArray(rows, cols, data), { autoTranspose: true });
      return { value: diagonal[0], gradient: outer(U.getColumn(0), V.getColumn(0)) };
    },
    async "numpy-ts svdvals"({ data, rows, cols }) {
      const np = await import("numpy-ts");
      const values = np.linalg.svdvals(np.array([...data], "float64").reshape(rows, cols));
      return { value: Number(((values as { toArray(): unknown }).toArray() as number[])[0]) };
    },
    async "numpy-ts norm"({ data, rows, cols }) {
      const np = await import("numpy-ts");
      return { value: Number(np.linalg.norm(np.array([...data], "float64").reshape(rows, cols), 2)) };
    },
    "svd-js"(given) {
      const { SVD } = require("svd-js") as {
        SVD(A: number[][]): { q: number[]; u: number[][]; v: number[][] };
      };
      const wide = given.rows < given.cols;
      const { q, u, v } = SVD(nested(given, wide));
      // Unsorted; a NaN among them is the largest for Math.max, too.
      const first = q.findIndex((value) => Object.is(value, Math.max(...q)));
      const [left, right] = [u, v].map((vectors) => vectors.map((row) => row[first]));
      return { value: q[first], gradient: wide ? outer(right, left) : outer(left, right) };
    },
    mathjs(given) {
      const { norm } = require("mathjs") as { norm(A: number[][], p: number): number };
      return { value: Number(norm(nested(given, false), 2)) };
    },
  };
}
