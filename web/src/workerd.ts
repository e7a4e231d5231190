/**
 * The package where a module cannot be compiled at run time (workerd): the platform hands it over compiled,
 * and the script that is deployed has everything in it.
 */
import { setDefaultModule } from "./index.js";
import module from "./perilune.wasm";

setDefaultModule(module);

export * from "./whole.js";
