/** The validators that ajv has made of the JSON Schemas. They fill in the schema's defaults, and leave what is wrong in `errors`. */
export { isSpec } from "../config/generated/config.js";
export { isFeatures } from "../config/generated/features.js";
export { isProcess } from "../config/generated/process.js";
export { isResources } from "../config/generated/resources.js";
export { isState } from "../config/generated/state.js";
export type { Validator } from "../config/schema.ts";
