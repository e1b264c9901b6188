/** The number of entries of an array, and of rows and columns of a matrix, that are printed. */
const mostEntries = 12;
const mostRows = 8;
/** The depth of nested objects that are printed; objects may contain themselves. */
const mostDepth = 6;

/** A value as a cell prints it: strings as they are, matrices in rows, long arrays shortened. */
export function shownValue(value: unknown): string {
  return typeof value === "string" ? value : shown(value, "");
}

function shown(value: unknown, indent: string): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `function ${value.name || "(no name)"}`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (indent.length > 2 * mostDepth) return "…";
  if (isMatrix(value)) return shownMatrix(value, indent);
  if (ArrayBuffer.isView(value) || Array.isArray(value))
    return shownArray(value as ArrayLike<unknown>, indent);
  return shownObject(value, indent);
}

function shownArray(array: ArrayLike<unknown>, indent: string): string {
  const name = Array.isArray(array) ? "" : `${array.constructor.name}(${array.length}) `;
  const entries = Array.from({ length: Math.min(array.length, mostEntries) }, (_, k) =>
    shown(array[k], `${indent}  `),
  );
  const rest = array.length - entries.length;
  if (rest > 0) entries.push(`… ${rest} more`);
  return `${name}[${entries.join(", ")}]`;
}

function shownObject(object: object, indent: string): string {
  const inner = `${indent}  `;
  const entries = Object.entries(object).map(([key, value]) => `${inner}${key}: ${shown(value, inner)}`);
  return entries.length === 0 ? "{}" : `{\n${entries.join(",\n")}\n${indent}}`;
}

interface DenseMatrix {
  readonly data: ArrayLike<number>;
  readonly shape: readonly [number, number];
  /** of a complex matrix, whose parts are interleaved */
  readonly dtype?: string;
}

/** Whether a value is a matrix that the package returned. */
function isMatrix(value: object): value is DenseMatrix {
  const { data, shape, stride, dtype } = value as Record<string, unknown>;
  if (!ArrayBuffer.isView(data) || !Array.isArray(shape) || stride !== undefined) return false;
  const parts = isComplexType(dtype) ? 2 : 1;
  return shape.length === 2 && (data as unknown as ArrayLike<number>).length === parts * shape[0] * shape[1];
}

function isComplexType(dtype: unknown): boolean {
  return dtype === "complex64" || dtype === "complex128";
}

function shownMatrix({ data, shape: [rows, cols], dtype }: DenseMatrix, indent: string): string {
  const complex = isComplexType(dtype);
  const heading = `${rows}×${cols} ${complex ? dtype : data.constructor.name.replace("Array", "")}`;
  const shownEntry = (k: number) =>
    complex ? shownComplex(data[2 * k], data[2 * k + 1]) : String(Number(data[k].toPrecision(8)));
  const lines: string[][] = [];
  for (let i = 0; i < Math.min(rows, mostRows); i++) {
    const count = Math.min(cols, mostRows);
    const line = Array.from({ length: count }, (_, j) => shownEntry(i * cols + j));
    lines.push(cols > count ? [...line, "…"] : line);
  }
  const width = Math.max(...lines.flat().map(({ length }) => length));
  const text = lines.map((line) => `${indent}  ${line.map((entry) => entry.padStart(width)).join("  ")}`);
  if (rows > mostRows) text.push(`${indent}  …`);
  return `${heading}\n${text.join("\n")}`;
}

function shownComplex(re: number, im: number): string {
  const [a, b] = [re, Math.abs(im)].map((part) => String(Number(part.toPrecision(6))));
  return `${a} ${im < 0 ? "−" : "+"} ${b}i`;
}
