import { powerOfTen } from "../report/format-number.js";

/** A number in a few digits, rounded upwards, so that what is printed is an upper bound if the number is one. */
export function digitsAbove(value: number, count = 4): string {
  return typeset(value, count, 1);
}

/** A number in a few digits, rounded downwards. */
export function digitsBelow(value: number, count = 4): string {
  return typeset(value, count, -1);
}

/** @param value  finite, not negative */
function typeset(value: number, count: number, direction: 1 | -1): string {
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(count - 1).split("e");
  let [mantissa, exponent] = [Number(digits.replace(".", "")), Number(power)];
  // Decimals are compared after conversion, which is monotone.
  const error = Number(`${mantissa}e${exponent - count + 1}`) - value;
  if (error * direction < 0) mantissa += direction;
  if (mantissa === 10 ** count) [mantissa, exponent] = [10 ** (count - 1), exponent + 1];
  else if (mantissa < 10 ** (count - 1)) [mantissa, exponent] = [10 ** count - 1, exponent - 1];
  if (exponent >= -4 && exponent < 6) return plain(`${mantissa}e${exponent - count + 1}`);
  return `${plain(`${mantissa}e${1 - count}`)}\u202f×\u202f${powerOfTen(exponent)}`;
}

/** A decimal of few digits without an exponent or zeros at its end. */
function plain(decimal: string): string {
  return String(Number(decimal));
}
