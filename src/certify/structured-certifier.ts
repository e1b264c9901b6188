/** `certify` for operators whose structure it knows; undefined for any other. */
export type StructuredCertifier = (A: object, options: unknown) => unknown;

let registered: StructuredCertifier | undefined;

/**
 * Makes a certifier known to `certify`. It comes with the functions that make such operators, so a bundler leaves it out
 * where none of them is imported.
 */
export function registerCertifier(certifier: StructuredCertifier): void {
  registered = certifier;
}

/** The certificate of an operator whose structure is known; undefined for any other. */
export function structuredCertificate(A: unknown, options: unknown): unknown {
  return typeof A === "object" && A !== null ? registered?.(A, options) : undefined;
}
