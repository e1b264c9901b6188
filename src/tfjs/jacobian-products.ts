/** Products of vectors with the Jacobian of a tensor function, by TensorFlow.js' reverse mode alone. */
import { engine, keep, Tensor, tensor, tidy, zeros } from "@tensorflow/tfjs-core";
import { AdjointError, NonFiniteError, ShapeError, UnsupportedError } from "../matrix/errors.js";
import { norm2 } from "../numerics/sums.js";
import { adjointTolerance, checkAdjoint } from "../solve/adjoint.js";
import { registerAdjointGradients } from "./adjoint-gradients.js";
import { readNow } from "./tensor-input.js";

const INSTEAD = 'call it on another backend, for example after await tf.setBackend("cpu")';

/** The Jacobian J (m×n) of f at x; vectors are the flattened tensors, row-major. */
export class JacobianProducts {
  readonly m: number;
  readonly n: number;
  readonly outputShape: number[];
  readonly inputShape: number[];
  readonly #f: (x: Tensor) => Tensor;
  readonly #x: Tensor;
  readonly #caller: string;
  /** whether the backward pass of f depends on what it pulls back, as far as the tape has seen */
  #linked = false;

  /**
   * @throws what f throws; UnsupportedError if x or f(x) is not a float32 tensor, or cannot be read synchronously;
   *   ShapeError if one is empty; NonFiniteError if one is not finite
   */
  constructor(f: unknown, x: unknown, caller: string) {
    if (typeof f !== "function") throw new UnsupportedError(`${caller}: f is not a function`);
    checkFloats(x, "x", caller);
    this.#f = f as (x: Tensor) => Tensor;
    this.#x = x;
    this.#caller = caller;
    registerAdjointGradients();
    this.#read(x, "x");
    const y = this.#value(x);
    try {
      this.#read(y, "f(x)");
      [this.m, this.n] = [y.size, x.size];
      [this.outputShape, this.inputShape] = [y.shape.slice(), x.shape.slice()];
    } finally {
      y.dispose();
    }
  }

  /**
   * Jᵀ·y. One evaluation of f with its backward pass.
   *
   * @throws UnsupportedError where TensorFlow.js cannot differentiate f
   */
  pullBack(y: ArrayLike<number>): Float32Array {
    return this.#explained(() =>
      this.#taken(
        () => this.#gradient(tensor(Float32Array.from(y), this.outputShape)),
        "a derivative of f at x, in Jᵀ·y,",
      ),
    );
  }

  /**
   * J·v, as the derivative of ⟨v, Jᵀ·y⟩ with respect to y, in which it is linear. One evaluation of f with its backward
   * pass, and the backward pass of that.
   *
   * @throws UnsupportedError where TensorFlow.js cannot differentiate the backward pass of f
   */
  push(v: ArrayLike<number>): Float32Array {
    return this.#explained(() =>
      this.#taken(() => {
        const direction = tensor(Float32Array.from(v), this.inputShape);
        const y = zeros(this.outputShape);
        const { grads } = engine().gradients(() => this.#gradient(y), [y], direction, true);
        this.#linked ||= Boolean(grads[0]);
        return grads[0] ?? y;
      }, "a derivative of f at x, in J·v,"),
    );
  }

  /**
   * Whether `push` is the adjoint of `pullBack`, as far as it is known without trying the two against each other.
   *
   * @returns undefined, or why it is not
   */
  pushFails(): string | undefined {
    try {
      this.push(probe(this.n, 1));
    } catch (error) {
      if (error instanceof UnsupportedError) return error.message;
      throw error;
    }
    if (this.#linked) return undefined;
    // No path from y to Jᵀy: right if Jᵀy is always 0.
    return norm2(this.pullBack(probe(this.m, 2))) === 0
      ? undefined
      : `${this.#caller}: the backward pass of f does not use TensorFlow.js operations on the gradient that it is given`;
  }

  /** @throws AdjointError if ⟨y, J·v⟩ ≠ ⟨Jᵀ·y, v⟩ for some v and y, beyond the rounding of float32 */
  checkAdjoint(): void {
    const [v, y] = [probe(this.n, 1), probe(this.m, 2)];
    const apply = {
      matvec: (x: Float64Array) => this.push(x),
      rmatvec: (x: Float64Array) => this.pullBack(x),
    };
    const tried = (name: "matvec" | "rmatvec", from: Float64Array) => ({
      from,
      to: Float64Array.from(apply[name](from)),
    });
    const named = (["matvec", "rmatvec"] as const).map((name) => ({
      name,
      apply: (x: Float64Array) => Float64Array.from(apply[name](x)),
    }));
    checkAdjoint(tried("matvec", v), tried("rmatvec", y), adjointTolerance(this.m, this.n), [
      named[0],
      named[1],
    ]);
  }

  /**
   * Checks that f uses x by TensorFlow.js operations if it uses it at all: a function that reads the numbers of x and
   * makes a new tensor has the Jacobian 0 for TensorFlow.js.
   *
   * @throws UnsupportedError
   */
  checkZero(): void {
    if (this.#isOnTape()) return;
    const numbers = this.#read(this.#x, "x");
    const size = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const moved = tidy(() =>
      this.#numbersAt(
        tensor(
          numbers.map((value, i) => value + size * Math.cos(3 + i)),
          this.inputShape,
        ),
      ),
    );
    if (!this.#differ(this.#numbersAt(this.#x), moved)) return;
    throw new UnsupportedError(
      `${this.#caller}: f(x) depends on x, but not by TensorFlow.js operations, so it has no gradient here (does f read x by dataSync or arraySync?)`,
    );
  }

  /** @throws AdjointError unless f(x) is the same each time */
  checkDeterministic(): void {
    if (!this.#differ(this.#numbersAt(this.#x), this.#numbersAt(this.#x))) return;
    throw new AdjointError(
      `${this.#caller}: f is not deterministic: it gave two different results for x (is it a network with dropout, called with training: true?)`,
      "nondeterministic",
    );
  }

  /** Whether two results of f differ by more than the order of sums in float32 explains. */
  #differ(a: Float32Array, b: Float32Array): boolean {
    if (a.length !== b.length) return true;
    const difference = Float64Array.from(a, (value, i) => value - b[i]);
    return !(norm2(difference) <= adjointTolerance(this.m, this.n) * (norm2(a) + norm2(b)));
  }

  #gradient(y: Tensor): Tensor {
    const { grads } = engine().gradients(() => this.#f(this.#x), [this.#x], y, true);
    return grads[0] ?? zeros(this.inputShape);
  }

  #isOnTape(): boolean {
    return this.#explained(() =>
      tidy(() => {
        const y = zeros(this.outputShape);
        return Boolean(engine().gradients(() => this.#f(this.#x), [this.#x], y, true).grads[0]);
      }),
    );
  }

  /** f(x), which the caller disposes. */
  #value(x: Tensor): Tensor {
    return tidy(() => {
      const y = this.#f(x);
      checkFloats(y, "f(x)", this.#caller);
      // f may return its argument, or a tensor that is its own.
      return y.clone();
    });
  }

  #numbersAt(x: Tensor): Float32Array {
    const y = this.#value(x);
    try {
      return readNow(y, this.#caller, INSTEAD).slice();
    } finally {
      y.dispose();
    }
  }

  /** The numbers of the tensor that `f` makes, which is disposed with all that it was made from. */
  #taken(f: () => Tensor, what: string): Float32Array {
    const result = tidy(() => keep(f()));
    try {
      return this.#read(result, what).slice();
    } finally {
      result.dispose();
    }
  }

  #read(x: Tensor, what: string): Float32Array {
    const data = readNow(x, this.#caller, INSTEAD);
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) {
      const place = placeOf(at, x.shape);
      throw new NonFiniteError(
        `${this.#caller}: ${what} is ${data[at]}${place === "" ? "" : ` at ${place} (counted from 0)`}`,
      );
    }
    return data;
  }

  /** Runs `f`; an error of TensorFlow.js' differentiation becomes an UnsupportedError, and its tape is released. */
  #explained<T>(f: () => T): T {
    const { state } = engine();
    const outer = state.gradientDepth > 0;
    try {
      return f();
    } catch (error) {
      if (!outer) releaseTape();
      if (error instanceof NonFiniteError || error instanceof UnsupportedError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new UnsupportedError(
        `${this.#caller}: TensorFlow.js cannot differentiate f: ${why}${REMEDY.test(why) ? " (@tensorflow/tfjs-core registers few gradients; import @tensorflow/tfjs or @tensorflow/tfjs-layers for all that there are)" : ""}`,
        { cause: error },
      );
    }
  }
}

/** A vector without a pattern that f could share, with entries that are float32 numbers. */
function probe(length: number, phase: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => Math.fround(Math.cos(phase + i * i)));
}

const REMEDY = /gradient function not found/;

/** After an error, TensorFlow.js keeps the tensors that it has saved for the backward pass. */
function releaseTape(): void {
  const { state } = engine();
  for (const { saved } of state.activeTape ?? []) for (const kept of saved ?? []) kept.dispose();
  state.activeTape = null as never;
}

function checkFloats(x: unknown, name: string, caller: string): asserts x is Tensor {
  if (!(x instanceof Tensor)) {
    const promise = x instanceof Promise ? "; f must not be asynchronous" : "";
    throw new UnsupportedError(`${caller}: ${name} is not a TensorFlow.js tensor${promise}`);
  }
  if (x.isDisposed) throw new UnsupportedError(`${caller}: ${name} is a disposed tensor`);
  if (x.dtype !== "float32")
    throw new UnsupportedError(
      `${caller}: ${name} has dtype ${x.dtype}, and only float32 has a derivative${x.dtype === "complex64" ? "" : "; call tf.cast first"}`,
    );
  if (x.size === 0) throw new ShapeError(`${caller}: ${name} is empty (shape [${x.shape}])`);
}

/** The indices of an entry, "[1, 0, 2]"; "" for a scalar. */
function placeOf(at: number, shape: readonly number[]): string {
  if (shape.length === 0) return "";
  const indices: number[] = [];
  for (let axis = shape.length - 1, rest = at; axis >= 0; axis--) {
    indices.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return `[${indices.join(", ")}]`;
}
