// What a program needs that has neither Node's types nor a browser's.
import {
  type BatchValuesAndGrads,
  type Matrix,
  type SingularTriplet,
  spectralNorm,
  type ValueAndGrad,
} from "spectral-norm";
import * as threads from "spectral-norm/threads";

const A = { data: new Float32Array([3, 0, 0, 0, 4, 0]), shape: [2, 3] };
const pool: threads.ThreadPool = await threads.startThreads(2);

const value: number = await threads.spectralNorm(A);
const gradient: ValueAndGrad<Float32Array> = await threads.valueAndGrad(A);
const triplet: SingularTriplet<Float32Array> = await threads.singularTriplet(A, { rtol: 1e-3 });
const turned: Matrix<Float32Array> = await threads.hessianVectorProduct(A, A, { triplet });
const rows: ValueAndGrad<Float64Array> = await threads.valueAndGrad([[3], [4]]);

const { grads }: BatchValuesAndGrads<Float64Array> = await threads.valueAndGradBatch({
  data: BigInt64Array.of(3n, 4n),
  shape: [1, 2, 1],
});
const half: SingularTriplet<Float32Array> = await threads.singularTriplet({
  data: Uint16Array.of(0x4200, 0x4400),
  dtype: "F16",
  shape: [1, 2],
  order: "C",
});

// @ts-expect-error: an operator's functions stay where they are.
const refused: string = await threads.spectralNorm({ shape: [1, 1], matvec() {}, rmatvec() {} }).then(
  () => "none",
  (error: { code: string }) => error.code,
);
const { count } = pool;
await pool.stop();

export const results = {
  values: [
    value,
    gradient.value,
    triplet.sigma,
    rows.value,
    spectralNorm(A),
    half.sigma,
    5 * Math.hypot(...grads.data),
  ],
  shape: turned.shape,
  refused,
  count,
};
