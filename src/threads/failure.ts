import * as errors from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { compact } from "./compact.js";

/**
 * An error as plain data, to be sent to another thread. A structured clone would lose the class of the error and the
 * fields that the class declares.
 */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** set for this package's errors only */
  readonly code: errors.ErrorCode | undefined;
  /** the other fields: `row`, `triplet`, `reason`, `cause` … */
  readonly fields: Readonly<Record<string, PackedValue>>;
}

/** A value or an error, packed for another thread. */
export type PackedValue =
  | { readonly value: unknown }
  | { readonly list: PackedValue[] }
  | { readonly failure: Failure };

type ErrorClass = new (message: string, ...details: never[]) => Error;

/** This package's classes by `code`. A new code without a line here is a type error. */
const CLASS_OF_CODE: Readonly<Record<errors.ErrorCode, ErrorClass>> = {
  ERR_SHAPE: errors.ShapeError,
  ERR_NON_FINITE: errors.NonFiniteError,
  ERR_OPTION: errors.OptionError,
  ERR_TIED: errors.TiedError,
  ERR_UNSUPPORTED: errors.UnsupportedError,
  ERR_OVERFLOW: errors.OverflowError,
  ERR_DEVICE: errors.DeviceError,
  ERR_FILE: errors.FileError,
  ERR_NOT_CONVERGED: errors.ConvergenceError,
  ERR_TRIPLET: errors.TripletError,
  ERR_ADJOINT: errors.AdjointError,
};

/** The JavaScript engine's error classes by name. */
function engineClass(name: string): ErrorClass {
  const wasm = typeof WebAssembly === "undefined" ? {} : WebAssembly;
  const { CompileError, LinkError, RuntimeError } = wasm as Partial<typeof WebAssembly>;
  const classes: Readonly<Record<string, ErrorClass | undefined>> = {
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
    CompileError,
    LinkError,
    RuntimeError,
  };
  return (Object.hasOwn(classes, name) ? classes[name] : undefined) ?? Error;
}

/** Fields of an error that are not enumerable. */
const NOT_ENUMERABLE = ["cause", "errors"];
/** Fields with a member of their own in `Failure`. */
const SEPARATE = new Set(["name", "message", "stack", "code"]);

/** @param error  anything that was thrown */
export function packError(error: unknown): PackedValue {
  return packValue(error, new Map());
}

/** @param packed  errors packed so far, because causes may form a cycle */
function packValue(value: unknown, packed: Map<Error, Failure>): PackedValue {
  if (value instanceof Error) return { failure: packed.get(value) ?? failureOf(value, packed) };
  if (Array.isArray(value) && value.some((part) => part instanceof Error))
    return { list: value.map((part) => packValue(part, packed)) };
  try {
    return { value: structuredClone(compact(value)) };
  } catch {
    // A function, for example: send its printed form.
    return { value: formatValue(value) };
  }
}

function failureOf(error: Error, packed: Map<Error, Failure>): Failure {
  const fields: Record<string, PackedValue> = {};
  const code = error instanceof errors.SpectralNormError ? error.code : undefined;
  const { name, message, stack = "" } = error;
  const failure = { name: String(name), message: String(message), stack: String(stack), code, fields };
  packed.set(error, failure);
  const names = [...Object.keys(error), ...NOT_ENUMERABLE.filter((field) => Object.hasOwn(error, field))];
  // The errors of other packages may have a `code` of another kind.
  for (const field of names)
    if (!SEPARATE.has(field) || (field === "code" && code === undefined))
      fields[field] = packValue(Reflect.get(error, field), packed);
  return failure;
}

/**
 * The error with its class and its fields.
 *
 * @param called  an error created at the call, whose stack leads to the caller's code
 */
export function unpackError(packed: PackedValue, called?: Error): unknown {
  return unpackValue(packed, called, new Map());
}

function unpackValue(packed: PackedValue, called: Error | undefined, unpacked: Map<Failure, Error>): unknown {
  if ("failure" in packed) return unpacked.get(packed.failure) ?? errorOf(packed.failure, called, unpacked);
  // Causes get no stack of the caller: the useful one is that of the thread in which they were thrown.
  return "list" in packed ? packed.list.map((part) => unpackValue(part, undefined, unpacked)) : packed.value;
}

function errorOf(failure: Failure, called: Error | undefined, unpacked: Map<Failure, Error>): Error {
  const { name, message, stack, code, fields } = failure;
  const error = new (code === undefined ? engineClass(name) : CLASS_OF_CODE[code])(message);
  unpacked.set(failure, error);
  if (error.name !== name) define(error, "name", name);
  for (const [field, value] of Object.entries(fields)) {
    const own = unpackValue(value, undefined, unpacked);
    if (NOT_ENUMERABLE.includes(field)) define(error, field, own);
    else Reflect.set(error, field, own);
  }
  const there = framesOf(stack);
  const here = called ? [...framesOf(called.stack ?? ""), "    in another thread:"] : [];
  define(error, "stack", [`${name}: ${message}`, ...here, ...there].join("\n"));
  return error;
}

/** Defines a field that is not enumerable, as an engine does. */
function define(error: Error, field: string, value: unknown): void {
  Object.defineProperty(error, field, { value, writable: true, configurable: true, enumerable: false });
}

/** The frames of a stack, without the message that some engines put before them. */
function framesOf(stack: string): string[] {
  return stack.split("\n").filter((line) => /^\s+at |@.*:\d+:\d+$|^\s+in another thread:$/.test(line));
}

/** The options of an error's constructor; none without a cause. */
export function causeOption(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause };
}
