import * as errors from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { compact } from "./compact.js";

/**
 * An error on its way to another thread. A structured clone keeps neither the class of an error nor the fields that
 * its class declares, so both travel as data.
 */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** of this package's errors alone */
  readonly code: errors.ErrorCode | undefined;
  /** what the error has beside these: `row`, `triplet`, `reason`, `cause` … */
  readonly fields: Readonly<Record<string, PackedValue>>;
}

/** A value, or an error, as it travels. */
export type PackedValue =
  | { readonly value: unknown }
  | { readonly list: PackedValue[] }
  | { readonly failure: Failure };

type ErrorClass = new (message: string, ...details: never[]) => Error;

/** Classes by `code`. The compiler asks for a line here when there is a new one. */
const OWN: Readonly<Record<errors.ErrorCode, ErrorClass>> = {
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

/** The engine's classes by name. */
function engineClass(name: string): ErrorClass {
  // WebAssembly's are there where WebAssembly is.
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

/** Fields that are no own enumerable properties of an error but belong to it. */
const HIDDEN = ["cause", "errors"];
/** Fields that `Failure` holds by themselves. */
const APART = new Set(["name", "message", "stack", "code"]);

/** @param error  anything that was thrown */
export function packError(error: unknown): PackedValue {
  return pack(error, new Map());
}

/** @param packed  errors that have been met, as causes may form a circle */
function pack(value: unknown, packed: Map<Error, Failure>): PackedValue {
  if (value instanceof Error) return { failure: packed.get(value) ?? failureOf(value, packed) };
  if (Array.isArray(value) && value.some((part) => part instanceof Error))
    return { list: value.map((part) => pack(part, packed)) };
  try {
    return { value: structuredClone(compact(value)) };
  } catch {
    // A function, for example. What it looked like is better than nothing.
    return { value: formatValue(value) };
  }
}

function failureOf(error: Error, packed: Map<Error, Failure>): Failure {
  const fields: Record<string, PackedValue> = {};
  const code = error instanceof errors.SpectralNormError ? error.code : undefined;
  const { name, message, stack = "" } = error;
  const failure = { name: String(name), message: String(message), stack: String(stack), code, fields };
  packed.set(error, failure);
  const names = [...Object.keys(error), ...HIDDEN.filter((field) => Object.hasOwn(error, field))];
  // Another package's errors may have a `code` of their own.
  for (const field of names)
    if (!APART.has(field) || (field === "code" && code === undefined))
      fields[field] = pack(Reflect.get(error, field), packed);
  return failure;
}

/**
 * The error again, of its class and with its fields.
 *
 * @param called  an error made where the caller's call was: its stack leads to the caller's own code
 */
export function unpackError(packed: PackedValue, called?: Error): unknown {
  return unpack(packed, called, new Map());
}

function unpack(packed: PackedValue, called: Error | undefined, unpacked: Map<Failure, Error>): unknown {
  if ("failure" in packed) return unpacked.get(packed.failure) ?? errorOf(packed.failure, called, unpacked);
  // Of causes, the stack of the thread in which they were thrown is the one that tells something.
  return "list" in packed ? packed.list.map((part) => unpack(part, undefined, unpacked)) : packed.value;
}

function errorOf(failure: Failure, called: Error | undefined, unpacked: Map<Failure, Error>): Error {
  const { name, message, stack, code, fields } = failure;
  const error = new (code === undefined ? engineClass(name) : OWN[code])(message);
  unpacked.set(failure, error);
  if (error.name !== name) define(error, "name", name);
  for (const [field, value] of Object.entries(fields)) {
    const own = unpack(value, undefined, unpacked);
    if (HIDDEN.includes(field)) define(error, field, own);
    else Reflect.set(error, field, own);
  }
  const there = framesOf(stack);
  const here = called ? [...framesOf(called.stack ?? ""), "    in another thread:"] : [];
  define(error, "stack", [`${name}: ${message}`, ...here, ...there].join("\n"));
  return error;
}

/** As the engine defines what it gives an error: not enumerable. */
function define(error: Error, field: string, value: unknown): void {
  Object.defineProperty(error, field, { value, writable: true, configurable: true, enumerable: false });
}

/** The lines of a stack that name places, without the message that some engines put before them. */
function framesOf(stack: string): string[] {
  return stack.split("\n").filter((line) => /^\s+at |@.*:\d+:\d+$|^\s+in another thread:$/.test(line));
}

/** What an error, or anything else that was thrown, says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For an error's constructor, where there may be no cause. */
export function because(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause };
}
