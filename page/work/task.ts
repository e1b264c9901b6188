/** How a task tells of itself while it runs. */
export interface Report<Update> {
  /** what is being done, and how much of it is done */
  progress(label: string, done: number, total: number): void;
  /** a part of the result that can be shown already */
  update(part: Update): void;
}

/** Something long that runs off the page. Input, updates and output are copied between threads. */
export type Task<Input, Output, Update = never> = (
  input: Input,
  report: Report<Update>,
) => Promise<Output> | Output;

/** An error as it crosses from one thread to another. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** of the package's own errors */
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
