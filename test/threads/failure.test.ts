import { describe, expect, it } from "vitest";
import * as core from "../../src/index.js";
import { packError, unpackError } from "../../src/threads/failure.js";

/** What arrives of something that is thrown in another thread. */
const crossing = (error: unknown, called?: Error) => unpackError(structuredClone(packError(error)), called);

type Class = new (...args: unknown[]) => core.SpectralNormError;
const isClass = (entry: [string, unknown]): entry is [string, Class] =>
  typeof entry[1] === "function" && entry[1].prototype instanceof core.SpectralNormError;
const classes = (Object.entries(core) as [string, unknown][]).filter(isClass);

/** All that an error has of its own, the properties that are not enumerable too. */
const partsOf = (error: Error) => {
  const { stack, ...descriptors } = Object.getOwnPropertyDescriptors(error);
  expect(stack).toBeDefined();
  return Object.fromEntries(
    Object.entries(descriptors).map(([name, { value, enumerable }]) => [name, { value, enumerable }]),
  );
};

describe("errors cross threads", () => {
  it("knows them all", () => {
    expect(classes.length).toBeGreaterThanOrEqual(11);
    expect(new Set(classes.map(([, Class]) => new Class("").code)).size).toBe(classes.length);
  });

  it.each(classes)("%s: with its class, words, code and every field", (name, Class) => {
    const error: core.SpectralNormError = new Class("matrix: it is what it is");
    // Whatever fields the class has.
    const fields = Object.keys(error).filter((field) => !["name", "code"].includes(field));
    fields.forEach((field, k) => {
      Reflect.set(error, field, { number: k, vector: Float32Array.of(k, -0), text: field });
    });
    error.cause = new RangeError("the reason", { cause: new Class("the reason's reason") });
    const found = crossing(error);
    if (!(found instanceof core.SpectralNormError)) return expect.fail(String(found));
    expect(found.constructor).toBe(Class);
    expect(String(found)).toBe(`${name}: matrix: it is what it is`);
    const { cause, ...parts } = partsOf(found);
    const { cause: before, ...expected } = partsOf(error);
    expect(parts).toEqual(expected);
    expect(cause.enumerable).toBe(false);
    expect(before.value).toBe(error.cause);
    const reason = cause.value as RangeError;
    expect(reason).toBeInstanceOf(RangeError);
    expect(reason.message).toBe("the reason");
    expect(reason.cause).toBeInstanceOf(Class);
    expect((reason.cause as Error).message).toBe("the reason's reason");
  });

  it("a triplet with its vectors, which take no more than their own memory", () => {
    const memory = new SharedArrayBuffer(8 * 1000);
    const triplet = { ...core.singularTriplet([[3, 4]]), u: new Float64Array(memory, 80, 1).fill(1) };
    const error = new core.ConvergenceError("no", { triplet, index: 7 });
    const packed = packError(error);
    const found = unpackError(structuredClone(packed)) as core.ConvergenceError;
    triplet.u.fill(2);
    expect(found.triplet).toEqual({ ...triplet, u: Float64Array.of(1) });
    expect(found.triplet!.u.buffer.byteLength).toBe(8);
    expect([found.index, found.triplets]).toEqual([7, undefined]);
  });

  it("the engine's own, by their class; others by their name", () => {
    for (const Class of [
      TypeError,
      RangeError,
      SyntaxError,
      WebAssembly.RuntimeError,
      WebAssembly.CompileError,
    ]) {
      const found = crossing(new Class("no"));
      expect((found as Error).constructor).toBe(Class);
      expect(String(found)).toBe(String(new Class("no")));
      expect("cause" in (found as Error)).toBe(false);
    }
    const abort = crossing(new DOMException("enough", "AbortError")) as Error;
    expect([abort instanceof Error, String(abort)]).toEqual([true, "AbortError: enough"]);
    for (const name of ["toString", "__proto__", "constructor", ""]) {
      const found = crossing(Object.assign(new Error("no"), { name })) as Error;
      expect([found instanceof Error, found.name, found.message]).toEqual([true, name, "no"]);
    }
    const missing = Object.assign(new Error("no such file"), { code: "ENOENT", errno: -2, path: "a.npy" });
    expect(crossing(missing)).toMatchObject({ code: "ENOENT", errno: -2, path: "a.npy" });
    const many = crossing(new AggregateError([new core.ShapeError("a"), "b"], "both")) as AggregateError;
    expect(many.errors).toEqual([new core.ShapeError("a"), "b"]);
    expect(many.errors[0]).toBeInstanceOf(core.ShapeError);
  });

  it("causes that lead round in a circle", () => {
    const [a, b] = [new core.DeviceError("a"), new Error("b")];
    a.cause = b;
    b.cause = a;
    const found = crossing(a) as core.DeviceError;
    expect(found).toBeInstanceOf(core.DeviceError);
    expect((found.cause as Error).cause).toBe(found);
  });

  it.each([undefined, null, 0, "no", Symbol("no"), { status: 404 }, [1, 2], () => {}])(
    "%o, though it is no error",
    (thrown) => {
      const found = crossing(thrown);
      if (typeof thrown === "symbol" || typeof thrown === "function") expect(found).toBe(String(thrown));
      else expect(found).toEqual(thrown);
      expect(crossing(new core.DeviceError("no", { cause: thrown }))).toHaveProperty("cause", found);
    },
  );

  it("with the caller's stack and that of the thread", () => {
    const failing = () => new core.ShapeError("two\nlines");
    const calling = () => new Error();
    const { stack } = crossing(failing(), calling()) as Error;
    const lines = stack!.split("\n");
    expect(lines.slice(0, 2)).toEqual(["ShapeError: two", "lines"]);
    const between = lines.indexOf("    in another thread:");
    expect(lines.slice(2, between)[0]).toMatch(/^ +at calling /);
    expect(lines.slice(between + 1)[0]).toMatch(/^ +at failing /);
    expect(lines.slice(2).every((line) => /^ +(at |in another thread:$)/.test(line))).toBe(true);
    // Firefox and Safari have no header and no "at".
    const there = Object.assign(new Error("no"), { stack: "answer@blob:1:2\n@blob:3:4\n" });
    expect((crossing(there) as Error).stack).toBe("Error: no\nanswer@blob:1:2\n@blob:3:4");
  });
});
