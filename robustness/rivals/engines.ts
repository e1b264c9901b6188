import { defineFloat16Array } from "../../src/experiment/methods/float16-array.js";
import { createRandom } from "../../src/numerics/random.js";
import type { Answer } from "../judge.js";
import type { Given } from "../rival.js";

type Call = (given: Given) => Promise<Answer>;

const STEPS = 100;

function start(n: number): Float64Array {
  const random = createRandom(7);
  return Float64Array.from({ length: n }, () => random.normal());
}

async function tensorflow() {
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-cpu");
  // Beside the compiled script; its registry is the process's, so that this copy serves.
  await import(new URL("./gradients.js", import.meta.url).href);
  tf.enableProdMode();
  await tf.setBackend("cpu");
  return tf;
}

async function jaxjs() {
  defineFloat16Array();
  const jax = await import("@jax-js/jax");
  jax.defaultDevice((await jax.init("wasm")).includes("wasm") ? "wasm" : "cpu");
  return jax;
}
type Jax = Awaited<ReturnType<typeof jaxjs>>;
type JaxArray = InstanceType<Jax["Array"]>;

async function jaxAnswer(given: Given, norm: (jax: Jax, x: JaxArray) => JaxArray): Promise<Answer> {
  const jax = await jaxjs();
  const { data, rows, cols } = given;
  const x = () => jax.numpy.array(Float64Array.from(data), { shape: [rows, cols] });
  const value = Number(norm(jax, x()).item());
  try {
    // Compiled: without it each step takes milliseconds.
    const compiled = jax.jit(jax.grad((y: JaxArray) => norm(jax, y)) as never) as unknown as (
      y: JaxArray,
    ) => JaxArray;
    const gradient = compiled(x()).dataSync();
    return { value, gradient: gradient as Float64Array };
  } catch (error) {
    return { value, gradientFails: String(error) };
  }
}

/** Engines that differentiate, by themselves and by power iteration in their operations. */
export const engines: Readonly<Record<string, Call>> = {
  async "tf norm"({ data, rows, cols }) {
    const tf = await tensorflow();
    const x = tf.tensor2d(Float32Array.from(data), [rows, cols]);
    const { value, grad } = tf.valueAndGrad((y) => tf.norm(y, 2))(x);
    return { value: value.dataSync()[0], gradient: grad.dataSync() };
  },
  async "tf power"({ data, rows, cols }) {
    const tf = await tensorflow();
    const x = tf.tensor2d(Float32Array.from(data), [rows, cols]);
    const first = tf.tensor2d(Float32Array.from(start(cols)), [cols, 1]);
    const { value, grad } = tf.valueAndGrad((y) => {
      let v: typeof y = first;
      for (let k = 0; k < STEPS; k++) {
        const z = tf.matMul(y as typeof first, tf.matMul(y as typeof first, v as typeof first), true);
        v = tf.div(z, tf.norm(z));
      }
      return tf.norm(tf.matMul(y as typeof first, v as typeof first));
    })(x);
    return { value: value.dataSync()[0], gradient: grad.dataSync() };
  },
  "jax norm": (given) => jaxAnswer(given, (jax, x) => jax.numpy.linalg.norm(x, { ord: 2 })),
  "jax power": (given) =>
    jaxAnswer(given, (jax, x) => {
      let v = jax.numpy.array(start(given.cols), { shape: [given.cols, 1] });
      const transposed = jax.numpy.transpose(x.ref);
      for (let k = 0; k < STEPS; k++) {
        const z = jax.numpy.matmul(transposed.ref, jax.numpy.matmul(x.ref, v));
        v = z.ref.div(jax.numpy.sqrt(jax.numpy.sum(z.ref.mul(z))));
      }
      transposed.dispose();
      const w = jax.numpy.matmul(x, v);
      return jax.numpy.sqrt(jax.numpy.sum(w.ref.mul(w)));
    }),
};
