import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import {
  matrixNorm,
  norm,
  singularTriplet,
  spectralNorm,
  spectralNormUnrolled,
  svdvals,
} from "spectral-norm/tfjs";

await tf.setBackend("cpu");
const x = tf.tensor2d([3, 0, 0, 4], [2, 2]);
const { sigma } = singularTriplet(x);
const gradient = (f: (x: tf.Tensor) => tf.Tensor): number[] => [...tf.grad(f)(x).dataSync()];

export const results = {
  values: [
    spectralNorm(x),
    sigma,
    norm(x, { ord: 2 }),
    matrixNorm(x, { ord: 2 }),
    svdvals(x),
    spectralNormUnrolled(x),
  ].map((value) => value.dataSync()[0]),
  gradients: [
    gradient((x) => spectralNorm(x)),
    gradient((x) => matrixNorm(x, { ord: 2 })),
    gradient((x) => spectralNormUnrolled(x, { rtol: 1e-7, atol: 0, maxIterations: 200 })),
  ],
};
