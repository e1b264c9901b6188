/** Characters of a text that are shown. */
const LONGEST = 60;

/** A value as an error message names it. */
export function formatValue(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  const text = String(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** What a user would call the thing that was passed. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") {
    const name = (value.constructor?.name as unknown) || "plain object";
    if (typeof name !== "string") return "an object";
    return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
  }
  if (typeof value === "string" || typeof value === "function") return `a ${typeof value}`;
  return `${typeof value} ${String(value)}`;
}

/** Values of any kind, and any number of them, in one line. */
export function listed(values: readonly unknown[]): string {
  return `[${values.slice(0, 8).map(formatValue).join(", ")}${values.length > 8 ? ", …" : ""}]`;
}
