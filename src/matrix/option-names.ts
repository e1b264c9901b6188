import { OptionError } from "./errors.js";
import { formatValue } from "./format-value.js";

/** The names of `SolveOptions`. */
export const SOLVE_OPTIONS: readonly string[] = [
  "method",
  "rtol",
  "atol",
  "maxIterations",
  "start",
  "seed",
  "adjointRtol",
];

/** A function that takes options, as error messages describe it. */
export interface Signature {
  /** the function's public name, where it is known */
  readonly caller?: string;
  /** the parameter's name; default "options" */
  readonly parameter?: string;
  /** the options that exist */
  readonly names: readonly string[];
  /** what may be passed, such as "{ ord: 2 }" */
  readonly example: string;
}

/**
 * Checks that the options are an object and that all of its names exist. Values are not checked.
 *
 * @returns the object; an empty one for undefined
 * @throws OptionError for anything but an object with named options (a number, an array, null, a Map), and for a name
 *   that does not exist, with the name that was probably meant
 */
export function namedOptions(options: unknown, signature: Signature): Readonly<Record<string, unknown>> {
  if (options === undefined) return {};
  const { caller, parameter = "options", names, example } = signature;
  // Arrays, typed arrays, maps and functions have other tags than plain objects and instances of classes.
  if (Object.prototype.toString.call(options) !== "[object Object]")
    throw new OptionError(
      `${parameter}: ${caller ? `${caller} expects` : "expected"} an object, such as ${example}, got ${formatValue(options)}`,
    );
  const given = options as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const meant = similar(name, names);
    throw new OptionError(
      `${formatValue(name).slice(1, -1)}: no such option${caller ? ` of ${caller}` : ""}; ${
        meant ? `did you mean ${meant}? The options are` : "the options are"
      } ${names.join(", ")}`,
    );
  }
  return given;
}

/** @throws OptionError for options of a function that has none */
export function noOptions(options: unknown, caller: string): void {
  if (options !== undefined)
    throw new OptionError(`options: ${caller} takes no options, got ${formatValue(options)}`);
}

/** The one of `names` that differs in case, in underscores or by being longer or shorter. */
function similar(name: string, names: readonly string[]): string | undefined {
  const letters = (text: string) => text.toLowerCase().replace(/[^a-z]/g, "");
  const given = letters(name);
  if (given.length < 3) return undefined;
  const near = names.filter((known) => known.length >= 3);
  return (
    near.find((known) => letters(known) === given) ??
    near.find((known) => letters(known).includes(given) || given.includes(letters(known)))
  );
}
