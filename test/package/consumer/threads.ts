// What a program needs that has neither Node's types nor a browser's.
import { type Matrix, type SingularTriplet, spectralNorm, type ValueAndGrad } from "spectral-norm";
import * as threads from "spectral-norm/threads";

const A = { data: new Float32Array([3, 0, 0, 0, 4, 0]), shape: [2, 3] };
const pool: threads.ThreadPool = await threads.startThreads(2);

const value: number = await threads.spectralNorm(A);
const gradient: ValueAndGrad<Float32Array> = await threads.valueAndGrad(A);
const triplet: SingularTriplet<Float32Array> = await threads.singularTriplet(A, { rtol: 1e-3 });
const turned: Matrix<Float32Array> = await threads.hessianVectorProduct(A, A, { triplet });
const rows: ValueAndGrad = await threads.valueAndGrad([[3], [4]]);

// @ts-expect-error: an operator's functions stay where they are.
const refused: string = await threads.spectralNorm({ shape: [1, 1], matvec() {}, rmatvec() {} }).then(
  () => "none",
  (error: { code: string }) => error.code,
);
const { count } = pool;
await pool.stop();

export const results = {
  values: [value, gradient.value, triplet.sigma, rows.value, spectralNorm(A)],
  shape: turned.shape,
  refused,
  count,
};
