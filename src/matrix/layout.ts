import { ShapeError } from "./errors.js";
import { describe, formatValue, listed } from "./format-value.js";

/** What an object may say of where its entries are. All of it counts elements. */
export interface LayoutFields {
  readonly stride?: unknown;
  readonly strides?: unknown;
  readonly offset?: unknown;
  readonly order?: unknown;
  readonly fortranOrder?: unknown;
  readonly fortran_order?: unknown;
}

/** Entry (i, j, …) is at offset + i·stride[0] + j·stride[1] + …. */
export interface Layout {
  readonly stride: readonly number[];
  readonly offset: number;
}

type Order = "row-major" | "column-major";

const ORDERS: Readonly<Record<string, Order>> = {
  ...{ "row-major": "row-major", "row major": "row-major", row: "row-major", c: "row-major" },
  ...{ "column-major": "column-major", "column major": "column-major", column: "column-major" },
  ...{ "col-major": "column-major", col: "column-major", f: "column-major", fortran: "column-major" },
};

/**
 * Where the entries of an array are, from all that it says of it. Row-major where it says nothing; `data` must then be
 * as long as the shape says. So must it end with the last entry where there are `strides` and no `offset`: a view whose
 * object keeps its offset to itself does not.
 *
 * @param length  numbers in `data`
 * @throws ShapeError for values of another kind, statements that contradict each other, and `data` that is too short
 *   or too long
 */
export function layoutOf(fields: LayoutFields, shape: readonly number[], length: number): Layout {
  if (
    fields.stride === undefined &&
    fields.strides === undefined &&
    fields.offset === undefined &&
    fields.order === undefined &&
    fields.fortranOrder === undefined &&
    fields.fortran_order === undefined
  ) {
    const stride = contiguous(shape, "row-major");
    if (shape[0] * stride[0] === length) return { stride, offset: 0 };
  }
  const offset = fields.offset === undefined ? 0 : fields.offset;
  if (typeof offset !== "number" || !Number.isInteger(offset) || offset < 0)
    throw new ShapeError(`offset: expected a non-negative integer, got ${formatValue(fields.offset)}`);
  const given = strideOf(fields, shape);
  const order = orderOf(fields);
  if (given && order) checkOrder(given, shape, order);
  if (!given && typeof order === "object")
    throw new ShapeError(
      `order: ${listed(order)} needs a stride; pass stride, or order "row-major" or "column-major"`,
    );
  const stride = given ?? contiguous(shape, typeof order === "string" ? order : "row-major");
  checkReach(fields, shape, stride, offset, length);
  return { stride, offset };
}

/** Strides without gaps. */
export function contiguous(shape: readonly number[], order: Order): number[] {
  const stride = new Array<number>(shape.length);
  let step = 1;
  for (let i = 0; i < shape.length; i++) {
    const k = order === "row-major" ? shape.length - 1 - i : i;
    stride[k] = step;
    step *= shape[k];
  }
  return stride;
}

/**
 * For what can only be row-major: whether the object says anything else.
 *
 * @param what  has to be row-major, for the message
 */
export function checkRowMajor(fields: LayoutFields, shape: readonly number[], what: string): void {
  const stride = strideOf(fields, shape);
  const order = orderOf(fields);
  const expected = contiguous(shape, "row-major");
  if (stride?.some((step, k) => shape[k] > 1 && step !== expected[k]))
    throw new ShapeError(
      `${what} must be row-major, with strides ${listed(expected)}; got ${listed(stride)}`,
    );
  if (order !== undefined) checkOrder(expected, shape, order);
}

/** `stride` or `strides`, or both where they are the same. */
function strideOf(fields: LayoutFields, shape: readonly number[]): readonly number[] | undefined {
  const [stride, strides] = (["stride", "strides"] as const).map((name) => {
    const value = fields[name];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && "length" in value))
      throw new ShapeError(`${name}: expected ${shape.length} integers, got ${describe(value)}`);
    const numbers = Array.from(value as ArrayLike<unknown>);
    if (numbers.length !== shape.length || !numbers.every(Number.isInteger))
      throw new ShapeError(`${name}: expected ${shape.length} integers, got ${listed(numbers)}`);
    return numbers as number[];
  });
  if (stride && strides && stride.some((step, k) => step !== strides[k]))
    throw new ShapeError(
      `strides: ${listed(strides)} contradicts stride ${listed(stride)}; pass one of them`,
    );
  return stride ?? strides;
}

/** What `order`, `fortranOrder` and `fortran_order` say together. */
function orderOf(fields: LayoutFields): Order | readonly number[] | undefined {
  let said: { name: string; order: Order } | undefined;
  for (const name of ["order", "fortranOrder", "fortran_order"] as const) {
    const value = fields[name];
    if (value === undefined || value === null || (name === "order" && Array.isArray(value))) continue;
    let order: Order;
    if (name === "order") {
      const key = typeof value === "string" ? value.toLowerCase().replace(/_/g, "-") : "";
      if (!Object.hasOwn(ORDERS, key))
        throw new ShapeError(`order: expected "row-major" or "column-major", got ${formatValue(value)}`);
      order = ORDERS[key];
    } else {
      if (typeof value !== "boolean")
        throw new ShapeError(`${name}: expected true or false, got ${formatValue(value)}`);
      order = value ? "column-major" : "row-major";
    }
    if (said && said.order !== order)
      throw new ShapeError(
        `${name}: ${formatValue(value)} contradicts ${said.name}, which says ${said.order}`,
      );
    said = { name, order };
  }
  return said?.order ?? (Array.isArray(fields.order) ? (fields.order as number[]) : undefined);
}

/** Whether strides and order can both be true. An axis of size 1, or of stride 0, may stand anywhere. */
function checkOrder(
  stride: readonly number[],
  shape: readonly number[],
  order: Order | readonly number[],
): void {
  const axes = shape.map((_, k) => k).filter((k) => shape[k] > 1 && stride[k] !== 0);
  if (typeof order !== "string") {
    // That of ndarray: the axes, the one with the smallest stride first.
    if (order.length !== shape.length || !shape.every((_, k) => order.includes(k)))
      throw new ShapeError(`order: expected each of ${shape.length} axes once, got ${listed(order)}`);
    const steps = order.filter((k) => axes.includes(k)).map((k) => Math.abs(stride[k]));
    if (steps.every((step, k) => k === 0 || step >= steps[k - 1])) return;
    throw new ShapeError(`order: ${listed(order)} contradicts the stride ${listed(stride)}; leave it out`);
  }
  const steps = axes.map((k) => Math.abs(stride[k]));
  const falls = steps.some((step, k) => k > 0 && step < steps[k - 1]);
  const rises = steps.some((step, k) => k > 0 && step > steps[k - 1]);
  // Some axes of a batch may be in one order and some in the other.
  if (order === "row-major" ? rises && !falls : falls && !rises)
    throw new ShapeError(
      `order: ${formatValue(order)} contradicts the strides ${listed(stride)} of shape ${listed(shape)}; leave one of them out`,
    );
}

/** Whether every entry is in the data, and all of the data is entries where nothing says otherwise. */
function checkReach(
  fields: LayoutFields,
  shape: readonly number[],
  stride: readonly number[],
  offset: number,
  length: number,
): void {
  const count = shape.reduce((product, size) => product * size, 1);
  let first = offset;
  let last = count === 0 ? offset - 1 : offset;
  if (count > 0)
    shape.forEach((size, k) => {
      const reach = (size - 1) * stride[k];
      if (reach < 0) first += reach;
      else last += reach;
    });
  const named = `[${shape.join(", ")}]`;
  if (count > 0 && (first < 0 || last >= length))
    throw new ShapeError(
      `data: too short, shape ${named} with this stride and offset reaches from ${first} to ${last}, ` +
        `and data has ${length} numbers${fields.strides ? "; strides count numbers, not bytes" : ""}`,
    );
  if (fields.stride !== undefined || fields.offset !== undefined || last + 1 === length) return;
  throw new ShapeError(
    fields.strides
      ? `data: too long, shape ${named} with these strides ends at ${last}, and data has ${length} numbers; ` +
          "pass offset, and strides that count numbers, not bytes"
      : `data: too long, shape ${named} takes ${count} numbers, and data has ${length}; ` +
          "leave the others out, or pass offset or stride",
  );
}
