export * from "./matrix/errors.js";
export type * from "./matrix/types.js";
export type { Method, SingularTriplet, SolveOptions } from "./solve/options.js";
