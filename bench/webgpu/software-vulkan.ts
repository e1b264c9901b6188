export { default } from "../../test/webgpu/software-vulkan.js";
