import type { NetworkInput } from "../files/network.js";
import { quote } from "../files/text.js";
import { OptionError } from "../index.js";

/** The shape of an input, as it is typed. */
export interface InputShape {
  /** absent if there is one input */
  readonly name: string | undefined;
  readonly shape: readonly number[];
}

/** Parses "NAME=1x3x32x32" or "1x3x32x32"; undefined if it is neither. A name may contain "=". */
export function inputShape(text: string): InputShape | undefined {
  const [, , name, sizes] = /^((.+)=)?([\dx×X]+)$/s.exec(text) ?? [];
  const parts = sizes?.split(/[x×X]/) ?? [];
  if (parts.length > 0 && parts.every((part) => /^[1-9]\d{0,8}$/.test(part)))
    return { name, shape: parts.map(Number) };
  return undefined;
}

/**
 * Shapes by the names of a network's inputs.
 *
 * @param option  where they are typed, for messages
 * @throws OptionError for shapes of inputs that the network does not have, or that do not fit
 */
export function namedShapes(
  inputs: readonly NetworkInput[],
  shapes: readonly InputShape[],
  option: string,
): ReadonlyMap<string, readonly number[]> {
  const named = new Map<string, readonly number[]>();
  const listed = inputs.map(({ name }) => quote(name)).join(", ");
  for (const { name, shape } of shapes) {
    if (name === undefined && inputs.length !== 1)
      throw new OptionError(`${option}: needs a name, as in NAME=1x3x32x32; the inputs are ${listed}`);
    const input = inputs.find((one) => one.name === (name ?? inputs[0].name));
    if (!input)
      throw new OptionError(`${option}: there is no input ${quote(name ?? "")}; there is ${listed}`);
    if (named.has(input.name)) throw new OptionError(`${option}: has ${quote(input.name)} twice`);
    if (input.shape && !fits(shape, input.shape))
      throw new OptionError(
        `${option}: ${shape.join("×")} does not fit ${quote(input.name)}, which the file has as ` +
          `${input.shape.map((length) => (typeof length === "number" ? length : length || "?")).join("×")}`,
      );
    named.set(input.name, shape);
  }
  return named;
}

/** Whether lengths have the same rank as a shape and are those that it fixes. */
function fits(lengths: readonly number[], shape: readonly (number | string)[]): boolean {
  return (
    lengths.length === shape.length &&
    shape.every((length, axis) => typeof length === "string" || length === lengths[axis])
  );
}
