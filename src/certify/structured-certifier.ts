import type { Certificate, CertifyOptions } from "./certify.js";

/** Certifies an operator whose structure it knows; undefined for any other. */
export type StructuredCertifier = (A: object, options: CertifyOptions | undefined) => Certificate | undefined;

let registered: StructuredCertifier | undefined;

/**
 * Makes a certifier known to `certify`. It comes with the functions that make such operators, so a bundler leaves it out
 * where none of them is imported.
 */
export function registerCertifier(certifier: StructuredCertifier): void {
  registered = certifier;
}

/** The certificate of an operator whose structure is known. */
export function structuredCertificate(
  A: unknown,
  options: CertifyOptions | undefined,
): Certificate | undefined {
  return typeof A === "object" && A !== null ? registered?.(A, options) : undefined;
}
