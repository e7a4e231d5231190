/**
 * The package where a module cannot be compiled at run time (workerd): the platform hands it over compiled.
 */
import { setDefaultModule } from "./index.js";
import module from "./perilune.wasm";

setDefaultModule(module);

export * from "./index.js";
