/** What `packArguments` has to know of a function's arguments. */
interface ArgumentForm {
  /** the first so many arguments are matrices */
  readonly matrices: number;
  /** the index of the options, where `checkOptions` checks them */
  readonly options?: number;
  /** options that the function takes beside the common ones */
  readonly extraOptions?: readonly string[];
  /** whether the matrices are batches */
  readonly batch?: true;
}

/**
 * The functions of the core that another thread can compute. The names in messages, the packing of arguments and the
 * coordinating thread's dispatch follow from this table. `async-api.ts` repeats the signatures, because a mapped type
 * would lose their overloads and type parameters.
 */
export const ASYNC_FUNCTIONS = {
  spectralNorm: { matrices: 1, options: 1 },
  valueAndGrad: { matrices: 1, options: 1 },
  singularTriplet: { matrices: 1, options: 1 },
  singularTriplets: { matrices: 1, options: 1, extraOptions: ["k", "which"] },
  tripletVjp: { matrices: 1 },
  hessianVectorProduct: { matrices: 2, options: 2, extraOptions: ["triplet"] },
  spectralNormBatch: { matrices: 1, options: 1, batch: true },
  valueAndGradBatch: { matrices: 1, options: 1, batch: true },
  svdvals: { matrices: 1 },
  cond: { matrices: 1 },
  matrixNorm: { matrices: 1 },
  kyFanNorm: { matrices: 1, options: 2 },
  schattenNorm: { matrices: 1 },
  certify: { matrices: 1 },
} as const satisfies Readonly<Record<string, ArgumentForm>>;

export type FunctionName = keyof typeof ASYNC_FUNCTIONS;

export function argumentFormOf(name: FunctionName): ArgumentForm {
  return ASYNC_FUNCTIONS[name];
}
