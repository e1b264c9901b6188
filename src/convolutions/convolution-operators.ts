import { registerCertifier } from "../certify/structured-certifier.js";
import { type Conv2dOperator, type ConvKernel, conv2d as convolution } from "../operators/conv2d.js";
import type { Conv2dOptions } from "../operators/conv2d-geometry.js";
import { certifyConvolution } from "./certify-convolution.js";

// These functions, not their module, make `certify` know their operators: a bundler leaves out what is not called.

/** {@inheritDoc convolution} */
export function conv2d(kernel: ConvKernel, options: Conv2dOptions): Conv2dOperator {
  registerCertifier(certifyConvolution);
  return convolution(kernel, options);
}
