import type * as Jax from "@jax-js/jax";
import type { DType } from "../../matrix/types.js";
import {
  type ComparedMethod,
  type DenseEntries,
  entriesIn,
  inProcess,
  type MethodGroup,
  type SecondOrderMethod,
} from "../method.js";
import { secondOrder } from "../second-order-method.js";
import { defineFloat16Array } from "./float16-array.js";
import { installedVersion } from "./installed-version.js";
import { absent } from "./optional-peer.js";

type JaxModule = typeof Jax;

interface JaxRow {
  readonly name: string;
  readonly runs: string;
  /** σ₁; consumes x, as every call of jax-js does */
  readonly norm: (x: Jax.Array) => Jax.Array;
}

const missing = "jax-js: npm install @jax-js/jax adds spectralNorm and svdvals on its arrays";

/** Rows on jax-js, an optional peer, on its WebAssembly device where there is one. */
export async function jaxMethods(): Promise<MethodGroup> {
  const jax = await import("@jax-js/jax").catch(absent);
  if (!jax) return { methods: [], missing };
  const device = await startDevice(jax);
  defineFloat16Array();

  const adapter = await import("../../jax/index.js");
  const rows: JaxRow[] = [
    {
      name: "svdvals",
      runs: "svdvals(x) and the derivative of its first entry, dense",
      norm: (x) => adapter.svdvals(x).slice(0),
    },
    {
      name: "spectralNorm",
      runs: "spectralNorm(x): the core, and a polynomial in jax-js operations that carries the derivatives",
      norm: (x) => adapter.spectralNorm(x),
    },
  ];
  const engine = `jax-${device}`;
  const dtypes = ["float64", "float32"] as const;
  return {
    methods: dtypes.flatMap((dtype) => rows.map((row) => asMethod(jax, engine, dtype, row))),
    secondOrder: dtypes.flatMap((dtype) => rows.map((row) => asSecondOrder(jax, engine, dtype, row))),
    versions: { "@jax-js/jax": installedVersion("@jax-js/jax") },
  };
}

async function startDevice(jax: JaxModule): Promise<"wasm" | "cpu"> {
  const device = (await jax.init("wasm")).includes("wasm") ? "wasm" : "cpu";
  jax.defaultDevice(device);
  return device;
}

function asMethod(
  jax: JaxModule,
  engine: string,
  dtype: DType,
  { name, runs, norm }: JaxRow,
): ComparedMethod {
  const valueAndGradient = jax.valueAndGrad(norm);
  return inProcess<Jax.Array>({
    name,
    engine,
    dtype,
    runs,
    load: (entries) => asArray(jax, entries, dtype),
    run: (x) => {
      const [value, gradient] = valueAndGradient(x.ref) as [Jax.Array, Jax.Array];
      return { value: Number(value.item()), gradient: numbersOf(gradient) };
    },
    release: (x) => x.dispose(),
  });
}

function asSecondOrder(
  jax: JaxModule,
  engine: string,
  dtype: DType,
  { name, norm }: JaxRow,
): SecondOrderMethod {
  return secondOrder({
    name,
    engine,
    dtype,
    runs: "grad of ⟨grad, E⟩",
    costly: true,
    hessian: (matrix, direction) => {
      const E = asArray(jax, direction, dtype);
      const gradient = jax.grad(norm);
      const along = (x: Jax.Array) => jax.numpy.sum((gradient(x) as Jax.Array).mul(E.ref));
      try {
        return numbersOf(jax.grad(along)(asArray(jax, matrix, dtype)) as Jax.Array);
      } finally {
        E.dispose();
      }
    },
  });
}

function asArray(jax: JaxModule, { data, rows, cols }: DenseEntries, dtype: DType): Jax.Array {
  return jax.numpy.array(entriesIn(dtype, data).slice(), { shape: [rows, cols] });
}

/** Reads the numbers of an array and releases it. */
function numbersOf(x: Jax.Array): ArrayLike<number> {
  return x.dataSync() as Float32Array | Float64Array;
}
