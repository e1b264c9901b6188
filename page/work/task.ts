/** How a running task reports to the page. */
export interface Report<Update> {
  /** the current step, and how much of it is done */
  progress(label: string, done: number, total: number): void;
  /** a part of the result that can be shown before the end */
  update(part: Update): void;
}

/** A computation in the worker. Input, updates and output are copied between threads. */
export type Task<Input, Output, Update = never> = (
  input: Input,
  report: Report<Update>,
) => Promise<Output> | Output;

/** An error in a form that can be sent between threads. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** present in errors of the package */
  readonly code?: string;
}

export type Message =
  | { readonly id: number; readonly kind: "progress"; label: string; done: number; total: number }
  | { readonly id: number; readonly kind: "update"; part: unknown }
  | { readonly id: number; readonly kind: "done"; value: unknown }
  | { readonly id: number; readonly kind: "failed"; failure: Failure };

export interface Request {
  readonly id: number;
  readonly task: string;
  readonly input: unknown;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  return "code" in error && typeof error.code === "string"
    ? { name, message, code: error.code }
    : { name, message };
}
