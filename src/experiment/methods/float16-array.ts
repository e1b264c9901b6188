/**
 * Defines the class `Float16Array` where it is missing: jax-js tests data with `instanceof Float16Array`, which Node.js has
 * since version 24.
 */
export function defineFloat16Array(): void {
  if (!("Float16Array" in globalThis))
    Object.defineProperty(globalThis, "Float16Array", { value: class Float16Array {}, configurable: true });
}
