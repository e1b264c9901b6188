import { up } from "../certify/rounding.js";
import {
  clipGateSlope,
  erfGateSlope,
  MISH_SLOPE,
  SILU_SLOPE,
  TANH_GELU_CUBIC,
  tanhGateSlope,
} from "./activation-slopes.js";
import { NoBound } from "./no-bound.js";
import { inverseRootOf } from "./normalization-factors.js";
import { floatOf, integerOf, type OnnxNode } from "./onnx-graph.js";
import { typeName } from "./onnx-tensor.js";
import { FLOAT_TYPES, type OnnxValue, uniform, type Variable } from "./onnx-values.js";
import { checkFinite, largestMagnitude } from "./rounded-numbers.js";

/** A node with the names of values in place of those of its graph. */
export interface FlatStep {
  readonly node: OnnxNode;
  /** "" where one is left out */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Several nodes that are one function of one value. */
export interface Recognized {
  /** such as "SiLU" */
  readonly name: string;
  readonly x: Variable;
  readonly constant: number;
  readonly how: string;
  readonly linear: boolean;
  /** the operators of the nodes, in the order of the graph */
  readonly pieces: readonly string[];
}

/** Chosen: deeper expressions are not those of an activation. */
const DEPTH = 5;

/** Nodes of the same form that do not give the same. */
const RANDOM = /^(Random|Bernoulli|Multinomial|Dropout)/;

/** Chosen: numbers beyond these are no coefficients of an activation; products of a few of them are normal numbers. */
const [LEAST, MOST] = [2 ** -64, 2 ** 64];

/** Exporters write this for a maximum that there is none of. */
const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** Covers the roundings of a few products of coefficients. */
const SLACK = 1 + 2 ** -49;

/** A value that multiplies another one, as a function of a third. */
interface Gate {
  readonly name: string;
  /** what it is a function of, or that times a number */
  readonly argument: string;
  /** the slope of c·x·gate, where the argument is a polynomial of x; nothing if there is none known */
  slope(c: number, polynomial: readonly number[]): number | undefined;
}

interface Affine {
  readonly offset: number;
  readonly factor: number;
  readonly inner: string;
}

/** Recognizes functions that exporters write as several nodes. */
export class OnnxPatterns {
  readonly #values: ReadonlyMap<string, OnnxValue>;
  readonly #producers = new Map<string, FlatStep>();
  /** one name for values that are the same */
  readonly #same = new Map<string, string>();
  readonly #byForm = new Map<string, readonly string[]>();
  readonly #found = new Map<string, Recognized>();
  /** values less their mean, by the values */
  readonly #centeredOf = new Map<string, string>();

  /** @param values  of the names of all nodes so far; it grows */
  constructor(values: ReadonlyMap<string, OnnxValue>) {
    this.#values = values;
  }

  /** Takes in a node. They come in their order. */
  add(step: FlatStep): void {
    const { node, inputs, outputs } = step;
    for (const output of outputs) this.#producers.set(output, step);
    const first = this.#resolved(inputs[0] ?? "");
    if (this.#passes(step)) this.#same.set(outputs[0], first);
    if (
      node.graphs ||
      node.partial ||
      inputs.length > 3 ||
      outputs.length !== 1 ||
      RANDOM.test(node.operator)
    )
      return;
    const attributes = [...node.integers, ...node.floats, ...node.texts];
    const form = JSON.stringify([node.operator, inputs.map((input) => this.#key(input)), attributes]);
    const known = this.#byForm.get(form);
    if (!known) this.#byForm.set(form, outputs);
    else if (known[0] !== outputs[0]) this.#same.set(outputs[0], this.#resolved(known[0]));
  }

  /** What the last of several nodes does with one value, if it is known. @throws NoBound */
  recognize(step: FlatStep): Recognized | undefined {
    const found = this.#recognized(step);
    if (!found || !Number.isFinite(found.constant) || step.outputs.length !== 1) return undefined;
    this.#found.set(step.outputs[0], found);
    if (found.name === CENTERING)
      this.#centeredOf.set(this.#resolved(found.x.name), this.#resolved(step.outputs[0]));
    return found;
  }

  #recognized(step: FlatStep): Recognized | undefined {
    switch (step.node.operator) {
      case "Mul":
        return this.#gated(step) ?? this.#normalized(step) ?? this.#multiplied(step);
      case "Div":
        return this.#normalized(step) ?? this.#multiplied(step);
      case "Sub":
        return this.#centered(step);
      case "Add":
        return this.#shifted(step);
      case "Max":
        return this.#leaky(step);
    }
    return undefined;
  }

  #passes({ node, inputs }: FlatStep): boolean {
    const { operator } = node;
    if (operator === "Identity") return true;
    if (operator === "Dropout")
      return inputs[2] === undefined || inputs[2] === "" || this.#scalar(inputs[2]) === 0;
    if (operator !== "Cast") return false;
    const value = this.#values.get(inputs[0]);
    return (
      value?.kind === "variable" &&
      FLOAT_TYPES.has(value.type ?? "") &&
      FLOAT_TYPES.has(typeName(integerOf(node, "to", 0)))
    );
  }

  #key(name: string): string {
    const value = this.#values.get(name);
    const scalar = this.#scalar(name);
    if (scalar === undefined || value?.kind !== "constant") return this.#resolved(name);
    return `=${scalar} [${value.shape.join()}]`;
  }

  #resolved(name: string): string {
    return this.#same.get(name) ?? name;
  }

  #isVariable(name: string): boolean {
    return this.#values.get(name)?.kind === "variable";
  }

  #variable(name: string): Variable | undefined {
    const value = this.#values.get(name);
    return value?.kind === "variable" && (value.type === undefined || FLOAT_TYPES.has(value.type))
      ? value
      : undefined;
  }

  #scalar(name: string): number | undefined {
    try {
      const scalar = uniform(this.#values.get(name));
      const size = Math.abs(scalar ?? 0);
      return size === 0 || (size >= LEAST && size <= MOST) ? scalar : undefined;
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      return undefined;
    }
  }

  /** The node that makes a value, if it is one of these operators. */
  #from(name: string, ...operators: readonly string[]): FlatStep | undefined {
    const step = this.#producers.get(this.#resolved(name));
    return step && operators.includes(step.node.operator) ? step : undefined;
  }

  /** The input that is a variable, and the number that the other one is. */
  #withScalar({
    inputs,
  }: FlatStep): { readonly x: string; readonly scalar: number; readonly first: boolean } | undefined {
    if (inputs.length !== 2) return undefined;
    for (const at of [0, 1]) {
      const [x, other] = [inputs[at], inputs[1 - at] ?? ""];
      const scalar = this.#isVariable(x) ? this.#scalar(other) : undefined;
      if (scalar !== undefined && this.#keepsShape(x, other))
        return { x: this.#resolved(x), scalar, first: at === 0 };
    }
    return undefined;
  }

  /** Whether a constant repeats none of a value's entries. */
  #keepsShape(x: string, constant: string): boolean {
    const [value, other] = [this.#values.get(x), this.#values.get(constant)];
    if (other?.kind !== "constant" || value?.kind !== "variable") return false;
    if (other.shape.length === 0) return true;
    const { shape } = value;
    if (!shape || other.shape.length > shape.length) return false;
    return other.shape.every(
      (length, k) => length === 1 || length === shape[shape.length - other.shape.length + k],
    );
  }

  /** A value as another one times a number. */
  #scaled(name: string): { readonly x: string; readonly factor: number } | undefined {
    const step = this.#from(name, "Mul", "Div", "Neg");
    if (!step) return undefined;
    if (step.node.operator === "Neg") return { x: this.#resolved(step.inputs[0]), factor: -1 };
    const found = this.#withScalar(step);
    if (!found || (step.node.operator === "Div" && !found.first)) return undefined;
    return { x: found.x, factor: step.node.operator === "Mul" ? found.scalar : 1 / found.scalar };
  }

  /** A value as offset + factor·inner. One number is added at most, so that none cancel. */
  #affine(name: string): Affine {
    let inner = this.#resolved(name);
    let [offset, factor] = [0, 1];
    let shifted = false;
    for (let depth = 0; depth < DEPTH; depth++) {
      const scaled = this.#scaled(inner);
      if (scaled) {
        factor *= scaled.factor;
        inner = scaled.x;
        continue;
      }
      const step = this.#from(inner, "Add", "Sub", "Sum");
      const found = step?.inputs.length === 2 ? this.#withScalar(step) : undefined;
      if (!step || !found || shifted) break;
      shifted = true;
      const subtracted = step.node.operator === "Sub";
      offset = factor * (subtracted && found.first ? -found.scalar : found.scalar);
      if (subtracted && !found.first) factor = -factor;
      inner = found.x;
    }
    return { offset, factor, inner };
  }

  /** The coefficients of a value as a polynomial of x, from that of x⁰ to that of x³; none is a sum of others. */
  #polynomial(name: string, x: string, depth = DEPTH + 1): readonly number[] | undefined {
    const own = this.#resolved(name);
    if (own === x) return [0, 1, 0, 0];
    const scalar = this.#scalar(own);
    if (scalar !== undefined) return [scalar, 0, 0, 0];
    const step = depth > 0 ? this.#from(own, "Add", "Sub", "Mul", "Div", "Pow", "Neg", "Sum") : undefined;
    if (!step) return undefined;
    const of = (k: number) => this.#polynomial(step.inputs[k] ?? "", x, depth - 1);
    const a = of(0);
    const constants = step.inputs.filter((input) => !this.#isVariable(input));
    const variables = step.inputs.filter((input) => this.#isVariable(input));
    if (!a || constants.some((input) => !this.#keepsShape(variables[0], input))) return undefined;
    switch (step.node.operator) {
      case "Neg":
        return a.map((c) => -c);
      case "Pow": {
        const exponent = this.#scalar(step.inputs[1]);
        if (exponent === 1) return a;
        if (exponent === 2) return multiplied(a, a);
        const square = exponent === 3 ? multiplied(a, a) : undefined;
        return square && multiplied(square, a);
      }
    }
    const b = of(1);
    if (!b || step.inputs.length > 2) return undefined;
    switch (step.node.operator) {
      case "Mul":
        return multiplied(a, b);
      case "Div":
        return b.slice(1).every((c) => c === 0) ? a.map((c) => c / b[0]) : undefined;
      case "Sub":
        return added(
          a,
          b.map((c) => -c),
        );
    }
    return added(a, b);
  }

  /** c·x·gate(x) */
  #gated(step: FlatStep): Recognized | undefined {
    if (!step.inputs.slice(0, 2).every((input) => this.#isVariable(input))) return undefined;
    const seen: string[] = [];
    this.#factors(step.outputs[0], undefined, undefined, seen);
    for (const name of seen) {
      const gate = this.#gate(name);
      if (!gate) continue;
      for (const x of this.#bases(gate.argument)) {
        const { coefficient, factors } = this.#factors(step.outputs[0], x, name);
        const polynomial = this.#polynomial(gate.argument, x);
        if (factors.length !== 2 || !factors.includes(x) || !factors.includes(name) || !polynomial) continue;
        const variable = this.#variable(x);
        const slope = gate.slope(coefficient, polynomial);
        if (!variable || slope === undefined) continue;
        const pieces = this.#pieces(step, x);
        return {
          name: gate.name,
          x: variable,
          constant: up(slope * SLACK),
          how: "its steepest slope",
          linear: false,
          pieces,
        };
      }
    }
    return undefined;
  }

  /** What a value is a function of, perhaps: itself, and what lies before affine steps. */
  #bases(name: string): readonly string[] {
    const found = [this.#resolved(name)];
    const open = [...found];
    for (let depth = 0; open.length > 0 && depth < 2 * DEPTH; depth++) {
      const step = this.#from(open.shift() ?? "", "Mul", "Div", "Add", "Sub", "Neg", "Pow", "Sum");
      for (const input of step?.inputs ?? []) {
        const own = this.#resolved(input);
        if (!this.#isVariable(own) || found.includes(own)) continue;
        found.push(own);
        open.push(own);
      }
    }
    return found;
  }

  /** A value as a product. */
  #factors(
    name: string,
    x: string | undefined,
    gate: string | undefined,
    seen: string[] = [],
    depth = DEPTH,
  ): { readonly coefficient: number; readonly factors: readonly string[] } {
    const own = this.#resolved(name);
    seen.push(own);
    const alone = { coefficient: 1, factors: [own] };
    if (own === x || own === gate || depth === 0) return alone;
    const scaled = this.#scaled(own);
    if (scaled) {
      const inner = this.#factors(scaled.x, x, gate, seen, depth - 1);
      return { ...inner, coefficient: scaled.factor * inner.coefficient };
    }
    const step = this.#from(own, "Mul");
    if (!step?.inputs.every((input) => this.#isVariable(input))) return alone;
    const [a, b] = step.inputs.map((input) => this.#factors(input, x, gate, seen, depth - 1));
    return { coefficient: a.coefficient * b.coefficient, factors: [...a.factors, ...b.factors] };
  }

  #gate(name: string): Gate | undefined {
    const step = this.#from(
      name,
      "Sigmoid",
      "HardSigmoid",
      "Clip",
      "Min",
      "Tanh",
      "Erf",
      "Add",
      "Sub",
      "Mul",
      "Div",
      "Sum",
    );
    if (!step) return undefined;
    const { node, inputs } = step;
    switch (node.operator) {
      case "Sigmoid":
        return {
          ...{ name: "SiLU", argument: inputs[0] },
          slope: (c, p) => (linear(p) && p[0] === 0 ? up(Math.abs(c) * SILU_SLOPE) : undefined),
        };
      case "HardSigmoid": {
        const [alpha, beta] = [floatOf(node, "alpha", Math.fround(0.2)), floatOf(node, "beta", 0.5)];
        return this.#clipped(
          inputs[0],
          (p) => (p[0] === 0 ? [beta, ...p.slice(1).map((c) => alpha * c)] : undefined),
          0,
          1,
        );
      }
      case "Clip": {
        const [low, high] = [1, 2].map((k) =>
          inputs[k] ? this.#scalar(inputs[k]) : node.floats.get(k === 1 ? "min" : "max")?.[0],
        );
        return this.#clipped(inputs[0], (p) => p, low, high);
      }
      case "Min": {
        const found = this.#withScalar(step);
        const inner = found && this.#from(found.x, "Relu");
        return inner && found.scalar >= 0
          ? this.#clipped(inner.inputs[0], (p) => p, 0, found.scalar)
          : undefined;
      }
      case "Tanh": {
        const softplus = this.#from(inputs[0], "Softplus");
        if (softplus)
          return {
            ...{ name: "Mish", argument: softplus.inputs[0] },
            slope: (c, p) =>
              linear(p) && p[0] === 0 && p[1] === 1 ? up(Math.abs(c) * MISH_SLOPE) : undefined,
          };
      }
    }
    return this.#gelu(name);
  }

  /** a + b·erf or a + b·tanh, as in GELU */
  #gelu(name: string): Gate | undefined {
    const { offset, factor, inner } = this.#affine(name);
    const function_ = this.#from(inner, "Erf", "Tanh");
    if (!function_) return undefined;
    if (function_.node.operator === "Erf")
      return {
        ...{ name: "GELU", argument: function_.inputs[0] },
        slope: (c, p) => (linear(p) && p[0] === 0 ? erfGateSlope(c, offset, factor) : undefined),
      };
    return {
      ...{ name: "GELU", argument: function_.inputs[0] },
      slope(c, [c0, c1, c2, c3]) {
        const cubic = c3 / c1 ** 3;
        const [least, greatest] = TANH_GELU_CUBIC;
        const regular = c0 === 0 && c2 === 0 && cubic > least * SLACK && cubic * SLACK < greatest;
        return regular ? tanhGateSlope(c, offset, factor) : undefined;
      },
    };
  }

  #clipped(
    argument: string,
    of: (polynomial: readonly number[]) => readonly number[] | undefined,
    low: number | undefined,
    high: number | undefined,
  ): Gate | undefined {
    if (low === undefined || high === undefined || !(low <= high)) return undefined;
    return {
      ...{ name: "HardSwish", argument },
      slope(c, polynomial) {
        const [b, , c2, c3] = of(polynomial) ?? [0, 0, 1, 1];
        if (c2 !== 0 || c3 !== 0) return undefined;
        return up(Math.abs(c) * clipGateSlope(b, low, high) * SLACK);
      },
    };
  }

  /** A function that is recognized, times a number. */
  #multiplied(step: FlatStep): Recognized | undefined {
    const scaled = this.#scaled(step.outputs[0]);
    const inner = scaled && this.#found.get(scaled.x);
    if (!inner || inner.linear) return undefined;
    const constant = up(inner.constant * Math.abs(scaled.factor) * SLACK);
    return { ...inner, constant, pieces: [...inner.pieces, step.node.operator] };
  }

  /** d/s(d), where s is a norm or a deviation of d that is kept from 0 */
  #normalized(step: FlatStep): Recognized | undefined {
    const { inputs, node } = step;
    const pairs =
      node.operator === "Div"
        ? [[0, 1]]
        : [
            [0, 1],
            [1, 0],
          ];
    for (const [at, other] of pairs) {
      const d = this.#variable(this.#resolved(inputs[at]));
      if (!d || !this.#isVariable(inputs[other])) continue;
      const name = this.#resolved(inputs[at]);
      const found =
        node.operator === "Div"
          ? this.#deviation(inputs[other], name)
          : this.#inverse(inputs[other], name, DEPTH);
      if (found === undefined) continue;
      // A projection before it does not change the constant.
      const before = this.#found.get(name);
      const x = found.name === "RMSNormalization" && before?.name === CENTERING ? before.x : d;
      return {
        ...{ name: x === d ? found.name : "LayerNormalization", x, constant: found.constant, how: found.how },
        ...{ linear: false, pieces: this.#pieces(step, this.#resolved(x.name)) },
      };
    }
    return undefined;
  }

  /** The largest of γ/s(d), where a value is that. */
  #inverse(
    name: string,
    d: string,
    depth: number,
  ): { readonly constant: number; readonly how: string; readonly name: string } | undefined {
    const step = depth > 0 ? this.#from(name, "Reciprocal", "Div", "Pow", "Mul", "Expand") : undefined;
    if (!step) return undefined;
    const { inputs } = step;
    switch (step.node.operator) {
      case "Reciprocal":
        return this.#deviation(inputs[0], d);
      case "Expand":
        return this.#expands(step, d) ? this.#inverse(inputs[0], d, depth - 1) : undefined;
      case "Div": {
        const numerator = this.#isVariable(inputs[0]) ? undefined : this.#largest(inputs[0], d);
        const found = numerator === undefined ? undefined : this.#deviation(inputs[1], d);
        return found && { ...found, constant: up(found.constant * (numerator ?? 0)) };
      }
      case "Pow":
        return this.#isPower(step, -0.5) ? this.#keptFromZero(inputs[0], d, true) : undefined;
      case "Mul":
        for (const at of [0, 1]) {
          const factor = this.#isVariable(inputs[1 - at]) ? undefined : this.#largest(inputs[1 - at], d);
          const found = factor === undefined ? undefined : this.#inverse(inputs[at], d, depth - 1);
          if (found)
            return { ...found, constant: up(found.constant * (factor ?? 0)), how: `max |γ|·${found.how}` };
        }
    }
    return undefined;
  }

  /** The largest magnitude of a constant that repeats nothing of d. */
  #largest(name: string, d: string): number | undefined {
    const value = this.#values.get(name);
    if (value?.kind !== "constant" || !this.#keepsShape(d, name)) return undefined;
    const numbers = value.numbers();
    checkFinite(numbers.values, "scale");
    return largestMagnitude(numbers);
  }

  #expands({ outputs }: FlatStep, d: string): boolean {
    const [value, other] = [this.#variable(outputs[0]), this.#variable(d)];
    return value?.shape !== undefined && value.shape.join() === other?.shape?.join();
  }

  /** The largest of 1/s(d), where a value is s(d). */
  #deviation(
    name: string,
    d: string,
  ): { readonly constant: number; readonly how: string; readonly name: string } | undefined {
    const expanded = this.#from(name, "Expand");
    if (expanded) return this.#expands(expanded, d) ? this.#deviation(expanded.inputs[0], d) : undefined;
    const root = this.#root(name);
    if (root !== undefined) return this.#keptFromZero(root, d, true);
    return this.#keptFromZero(name, d, false);
  }

  /** What a value is the root of. */
  #root(name: string): string | undefined {
    const step = this.#from(name, "Sqrt", "Pow");
    if (!step || (step.node.operator === "Pow" && !this.#isPower(step, 0.5))) return undefined;
    return step.inputs[0];
  }

  /** Whether a power has this exponent for all entries, and as many entries as its base. */
  #isPower({ inputs: [base, exponent] }: FlatStep, wanted: number): boolean {
    return this.#scalar(exponent) === wanted && this.#keepsShape(base, exponent);
  }

  /**
   * The largest slope of d/√t or d/t, t being q + ε or max(q, ε): q is the sum or the mean of the squares of d, or the root
   * of that. With the root of q + ε it is 1/√ε, see normalization-factors.ts. d/max(‖d‖, ε) is the point of the unit ball
   * nearest to d/ε, and such projections are 1-Lipschitz; so it is 1/ε, and with squares 1/√ε. d/(‖d‖ + ε) has the slopes
   * ε/(‖d‖ + ε)² along d and 1/(‖d‖ + ε) across, which are at most 1/ε. A mean is a sum of d/√n, and the scale cancels.
   */
  #keptFromZero(
    name: string,
    d: string,
    squares: boolean,
  ): { readonly constant: number; readonly how: string; readonly name: string } | undefined {
    const step = this.#from(name, "Add", "Max", "Clip");
    if (!step) return undefined;
    const { inputs, node } = step;
    const clipped = node.operator === "Clip";
    const found = clipped ? undefined : this.#withScalar(step);
    const epsilon = clipped
      ? inputs[1]
        ? this.#scalar(inputs[1])
        : node.floats.get("min")?.[0]
      : found?.scalar;
    if (clipped && !this.#hasNoMost(step)) return undefined;
    const q = clipped ? inputs[0] : found?.x;
    if (q === undefined || epsilon === undefined || !(epsilon > 0)) return undefined;
    const norm = squares ? this.#squares(q, d) : this.#norm(q, d);
    if (!norm) return undefined;
    const constant = squares ? inverseRootOf(epsilon) : up(1 / epsilon);
    return { constant, how: squares ? "1 / √ε" : "1 / ε", name: norm };
  }

  /** Whether a `Clip` has no maximum, or one beyond all values. */
  #hasNoMost({ node, inputs }: FlatStep): boolean {
    if (!inputs[2]) return (node.floats.get("max")?.[0] ?? Number.POSITIVE_INFINITY) >= LARGEST_FLOAT32;
    const value = this.#values.get(inputs[2]);
    try {
      return value?.kind === "constant" && (uniform(value) ?? 0) >= LARGEST_FLOAT32;
    } catch (error) {
      if (!(error instanceof NoBound)) throw error;
      return false;
    }
  }

  /** What a value is called that is the norm of d, or that over √n. */
  #norm(name: string, d: string): string | undefined {
    const step = this.#from(name, "ReduceL2");
    if (step)
      return this.#resolved(step.inputs[0]) === d && keepsAxes(step.node) ? "L2 normalization" : undefined;
    const root = this.#root(name);
    return root === undefined ? undefined : this.#squares(root, d);
  }

  /** The same for its square. */
  #squares(name: string, d: string): string | undefined {
    const step = this.#from(name, "ReduceMean", "ReduceSum", "ReduceSumSquare");
    if (!step || !keepsAxes(step.node)) return undefined;
    const [inner] = step.inputs;
    const own = step.node.operator === "ReduceMean" ? "RMSNormalization" : "L2 normalization";
    if (step.node.operator === "ReduceSumSquare") return this.#resolved(inner) === d ? own : undefined;
    const square = this.#from(inner, "Mul", "Pow");
    if (!square) return undefined;
    const [a, b] = square.inputs;
    const squared =
      square.node.operator === "Pow" ? this.#isPower(square, 2) : this.#resolved(a) === this.#resolved(b);
    return squared && this.#resolved(a) === d ? own : undefined;
  }

  /** x less its mean over some axes: a projection. */
  #centered({ inputs, node }: FlatStep): Recognized | undefined {
    const x = this.#resolved(inputs[0]);
    const variable = this.#variable(x);
    if (!variable || !this.#isMean(inputs[1] ?? "", x)) return undefined;
    return {
      name: CENTERING,
      x: variable,
      constant: 1,
      how: "a projection",
      linear: true,
      pieces: ["ReduceMean", node.operator],
    };
  }

  #isMean(name: string, x: string): boolean {
    const mean = this.#from(name, "ReduceMean", "GlobalAveragePool");
    return (
      mean !== undefined &&
      this.#resolved(mean.inputs[0]) === x &&
      (mean.node.operator !== "ReduceMean" || keepsAxes(mean.node))
    );
  }

  /** x·g + (β − mean·g), g = γ/√(variance + ε): a normalization as TensorFlow writes it */
  #shifted(step: FlatStep): Recognized | undefined {
    for (const at of [0, 1]) {
      const first = this.#from(step.inputs[at] ?? "", "Mul");
      const second = this.#from(step.inputs[1 - at] ?? "", "Sub");
      if (!first || !second || this.#isVariable(second.inputs[0])) continue;
      const product = this.#from(second.inputs[1] ?? "", "Mul");
      if (!product) continue;
      for (const k of [0, 1])
        for (const j of [0, 1]) {
          const [x, g] = [this.#resolved(first.inputs[k]), this.#resolved(first.inputs[1 - k])];
          const [mean, other] = [product.inputs[j], this.#resolved(product.inputs[1 - j])];
          const variable = this.#variable(x);
          if (!variable || g !== other || !this.#isMean(mean, x) || !this.#keepsShape(x, second.inputs[0]))
            continue;
          const deviation = this.#deviationFrom(x, mean, g);
          if (deviation)
            return {
              ...deviation,
              name: "LayerNormalization",
              x: variable,
              linear: false,
              pieces: this.#pieces(step, x),
            };
        }
    }
    return undefined;
  }

  /** The largest of g, where it is γ over the deviation of x from this mean. */
  #deviationFrom(
    x: string,
    mean: string,
    g: string,
  ): { readonly constant: number; readonly how: string } | undefined {
    const centered = this.#centeredOf.get(x);
    const subtracted = this.#producers.get(centered ?? "")?.inputs[1];
    if (centered === undefined || this.#resolved(subtracted ?? "") !== this.#resolved(mean)) return undefined;
    return this.#inverse(g, centered, DEPTH);
  }

  /** max(x, αx) */
  #leaky(step: FlatStep): Recognized | undefined {
    if (step.inputs.length !== 2) return undefined;
    for (const at of [0, 1]) {
      const x = this.#resolved(step.inputs[at]);
      const scaled = this.#scaled(step.inputs[1 - at]);
      const variable = this.#variable(x);
      if (scaled?.x !== x || !variable) continue;
      const constant = Math.max(1, up(Math.abs(scaled.factor)));
      return {
        name: "LeakyRelu",
        x: variable,
        constant,
        how: "max(1, |α|)",
        linear: false,
        pieces: ["Mul", "Max"],
      };
    }
    return undefined;
  }

  /** The operators between x and the output of a node. */
  #pieces(step: FlatStep, x: string): readonly string[] {
    const found: FlatStep[] = [];
    const visit = (next: FlatStep, depth: number): void => {
      if (found.includes(next) || depth > 3 * DEPTH || found.length > 6 * DEPTH) return;
      for (const input of next.inputs) {
        const own = this.#resolved(input);
        const before = own === x || !this.#isVariable(own) ? undefined : this.#producers.get(own);
        if (before && !this.#endsAt(before, x)) visit(before, depth + 1);
      }
      found.push(next);
    };
    visit(step, 0);
    return [...new Set(found.map(({ node }) => node.operator))];
  }

  #endsAt({ outputs }: FlatStep, x: string): boolean {
    return outputs.includes(x);
  }
}

const CENTERING = "centering";

/** Whether a polynomial has no terms but those of x⁰ and x. */
function linear([, , c2, c3]: readonly number[]): boolean {
  return c2 === 0 && c3 === 0;
}

function keepsAxes(node: OnnxNode): boolean {
  return integerOf(node, "keepdims", 1) !== 0;
}

/** Products of polynomials; nothing if the degree is beyond 3, a coefficient is a sum, or underflows. */
function multiplied(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  const product = [0, 0, 0, 0];
  for (const [i, c] of a.entries())
    for (const [j, d] of b.entries()) {
      if (c === 0 || d === 0) continue;
      if (i + j > 3 || product[i + j] !== 0 || !(Math.abs(c * d) >= 2 ** -900)) return undefined;
      product[i + j] = c * d;
    }
  return product;
}

/** Sums of polynomials; nothing if a coefficient is a sum of two. */
function added(a: readonly number[], b: readonly number[]): readonly number[] | undefined {
  return a.some((c, k) => c !== 0 && b[k] !== 0) ? undefined : a.map((c, k) => c + b[k]);
}
