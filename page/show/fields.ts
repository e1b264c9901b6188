import { element } from "./element.js";

/** A value that a field does not accept; the message says why. */
export class FieldError extends Error {
  override readonly name = "FieldError";
}

export interface NumberField {
  readonly node: HTMLElement;
  /** @throws FieldError if the value is not an integer in the range */
  value(): number;
}

/** A labelled field for an integer. */
export function numberField(label: string, least: number, most: number, initial: number): NumberField {
  const input = element("input", {
    type: "number",
    inputmode: "numeric",
    min: String(least),
    max: String(most),
    step: "1",
    value: String(initial),
  });
  return {
    node: element("label", { class: "field" }, element("span", {}, label), input),
    value() {
      const value = input.valueAsNumber;
      const right = Number.isInteger(value) && value >= least && value <= most;
      input.setAttribute("aria-invalid", String(!right));
      if (right) return value;
      input.focus();
      throw new FieldError(`${label}: expected an integer from ${least} to ${most}.`);
    },
  };
}

export interface ChoiceField<T> {
  readonly node: HTMLElement;
  value(): T;
}

/** A labelled select element. */
export function choiceField<T>(
  label: string,
  choices: readonly { readonly label: string; readonly value: T }[],
  onChange?: () => void,
): ChoiceField<T> {
  const select = element(
    "select",
    {},
    ...choices.map((choice, i) => element("option", { value: String(i) }, choice.label)),
  );
  if (onChange) select.addEventListener("change", onChange);
  return {
    node: element("label", { class: "field" }, element("span", {}, label), select),
    value: () => choices[select.selectedIndex].value,
  };
}

/** Fields side by side. Enter in one of them calls `run`. */
export function fields(run: () => void, ...nodes: readonly HTMLElement[]): HTMLFormElement {
  const form = element("form", { class: "fields", novalidate: true }, ...nodes);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target instanceof HTMLInputElement) run();
  });
  return form;
}
