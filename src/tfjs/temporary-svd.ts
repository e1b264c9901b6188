import { SVD } from "ml-matrix";

// Until ../solve/svd.js has its kernel.
export function svd(A: Float64Array, m: number, n: number) {
  const rows = Array.from({ length: m }, (_, i) => Array.from(A.subarray(i * n, (i + 1) * n)));
  const d = new SVD(rows, { autoTranspose: true });
  const k = Math.min(m, n);
  const U = Float64Array.from({ length: m * k }, (_, i) =>
    d.leftSingularVectors.get(Math.floor(i / k), i % k),
  );
  const V = Float64Array.from({ length: n * k }, (_, i) =>
    d.rightSingularVectors.get(Math.floor(i / k), i % k),
  );
  return { U, S: Float64Array.from(d.diagonal.slice(0, k)), V };
}
