import type { DenseMatrix, HalfMatrix, MatrixBatch } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { normalMatrix } from "../matrices.js";

type Case = [string, DenseMatrix | HalfMatrix];

/** Odd, single rows and columns, wide and tall, on both sides of the sizes at which paths change. */
const SHAPES: [number, number][] = [
  [1, 1],
  [1, 40_001],
  [40_001, 1],
  [7, 5],
  [64, 4000],
  [3001, 63],
  [65, 66],
  [97, 1201],
  [1203, 91],
  [331, 337],
  [512, 512],
];

/** Bits of float16 numbers from 2^-2 to just below 4, of either sign. */
function halves(length: number): Uint16Array {
  const random = createRandom(length);
  return Uint16Array.from({ length }, () => {
    const bits = Math.floor((random.normal() + 8) * 1e5) & 0x3fff;
    return (bits & 0xfff) | 0x3000 | ((bits & 0x2000) << 2);
  });
}

/** A row-major m×n matrix in each dtype. */
export const MATRICES: Case[] = [
  ...SHAPES.flatMap(([m, n]): Case[] => {
    const { data } = normalMatrix(m, n, m + n);
    const shape: [number, number] = [m, n];
    return [
      [`${m}×${n} float64`, { data, shape }],
      [`${m}×${n} float32`, { data: Float32Array.from(data), shape }],
    ];
  }),
  ...strided(),
  ["205×203 float16", { data: halves(205 * 203), shape: [205, 203], dtype: "float16" }],
];

function strided(): Case[] {
  const data = Float32Array.from(normalMatrix(300, 411, 5).data);
  return [
    ["columns first", { data, shape: [411, 300], stride: [1, 411] }],
    ["every second, backwards", { data, shape: [299, 200], stride: [411, -2], offset: 405 }],
  ];
}

/** Complex matrices of both types, tall and wide, on both sides of the sizes at which paths change. */
export const COMPLEX_MATRICES: [string, DenseMatrix][] = [
  ...(
    [
      [1, 1],
      [1, 20_001],
      [7, 5],
      [48, 3000],
      [3001, 40],
      [97, 601],
      [331, 337],
      [512, 512],
    ] as const
  ).flatMap(([m, n]): [string, DenseMatrix][] => {
    const { data } = normalMatrix(m, 2 * n, m + n);
    const shape: [number, number] = [m, n];
    return [
      [`${m}×${n} complex128`, { data, shape, dtype: "complex128" }],
      [`${m}×${n} complex64`, { data: Float32Array.from(data), shape, dtype: "complex64" }],
    ];
  }),
  [
    "complex, columns first",
    { data: normalMatrix(205, 411, 5).data.slice(1), shape: [300, 140], stride: [1, 300], dtype: "c16" },
  ],
  [
    "complex, every second, backwards",
    {
      data: Float32Array.from(normalMatrix(300, 822, 6).data),
      shape: [299, 200],
      stride: [411, -2],
      offset: 405,
      dtype: "complex64",
    },
  ],
];

export const COMPLEX_BATCH: MatrixBatch = {
  data: Float32Array.from(normalMatrix(3 * 130, 2 * 121, 8).data),
  shape: [3, 130, 121],
  dtype: "complex64",
};

export const BATCH: MatrixBatch = {
  data: Float32Array.from(normalMatrix(3 * 130, 121, 8).data),
  shape: [3, 130, 121],
};
