/**
 * The arrays beneath jax-js values.
 *
 * A function under `grad` or `vmap` sees tracers, not arrays. Those of `grad` (JVP over partial evaluation) and
 * `vmap` still hold the numbers; those of `jit` only have a shape. jax-js does not export the tracer classes, so they
 * are recognized by their fields. A value that is not recognized counts as having no numbers, which is always correct:
 * it is then computed in jax-js operations.
 */
import { Array as JaxArray } from "@jax-js/jax";

/** One level of `vmap`: the axis of the value below that it maps over, and how to wrap a value again. */
interface BatchLayer {
  readonly axis: number;
  /** makes a tracer of this level from a value whose first axis it maps over; consumes `value` */
  wrap(value: JaxArray): JaxArray;
}

/** The parts of a jax-js value. The value owns them all. */
export interface Layers {
  /** the array with the numbers; undefined under `jit` */
  readonly numbers: JaxArray | undefined;
  /** number of levels of differentiation */
  readonly derivatives: number;
  /** levels of `vmap`, the outermost call first */
  readonly batches: readonly BatchLayer[];
  /** the value below the innermost levels of differentiation: equal to it, and constant for them */
  readonly constant: JaxArray;
}

/** The fields by which the tracers are recognized. */
interface Fields {
  readonly primal?: JaxArray;
  readonly tangent?: JaxArray;
  readonly pval?: { readonly val: JaxArray | null };
  readonly val?: JaxArray;
  readonly batchDim?: number | null;
  readonly _trace: unknown;
  readonly constructor: new (trace: unknown, value: JaxArray, axis: number) => JaxArray;
}

const Tracer = Object.getPrototypeOf(JaxArray) as new () => JaxArray;

/** Whether x is an array, or a tracer, of the copy of jax-js that this module imports. */
export function isJaxValue(x: unknown): x is JaxArray {
  return x instanceof Tracer;
}

export function layersOf(x: JaxArray): Layers {
  const batches: BatchLayer[] = [];
  let derivatives = 0;
  let constant = x;
  let at = x;
  while (!(at instanceof JaxArray)) {
    const fields = at as unknown as Fields;
    let below: JaxArray | null | undefined;
    if (isJaxValue(fields.primal) && isJaxValue(fields.tangent)) {
      derivatives++;
      below = fields.primal;
    } else if (fields.pval) {
      below = fields.pval.val;
    } else if (isJaxValue(fields.val) && fields.batchDim !== undefined) {
      below = fields.val;
      if (fields.batchDim !== null) {
        const { _trace, constructor: Batch } = fields;
        batches.unshift({ axis: fields.batchDim, wrap: (value) => new Batch(_trace, value, 0) });
      }
    }
    if (!isJaxValue(below)) break;
    at = below;
    // Below a batch level the shape differs.
    if (batches.length === 0) constant = at;
  }
  return { numbers: at instanceof JaxArray ? at : undefined, derivatives, batches, constant };
}

/** The axes of the array with the numbers: those that `vmap` maps over, outermost first, and the rest. */
export function axesOf({ batches }: Layers, rank: number): { mapped: number[]; visible: number[] } {
  const visible = Array.from({ length: rank }, (_, i) => i);
  const mapped = batches.map(({ axis }) => visible.splice(axis, 1)[0]);
  return { mapped, visible };
}

/** Wraps `value`, whose first axes are the mapped ones, outermost first, in the levels of `vmap`. Consumes it. */
export function wrapBatches({ batches }: Layers, value: JaxArray): JaxArray {
  return batches.reduce((inner, layer) => layer.wrap(inner), value);
}
