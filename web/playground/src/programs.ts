/** Programs of the list: the examples of the repository, and four that show the page itself. */
import counter from "../../../examples/counter.lua";
import dataProcessing from "../../../examples/data-processing.lua";
import stateMachine from "../../../examples/state-machine.lua";
import todoList from "../../../examples/todo-list.lua";
import error from "../programs/error.lua";
import memory from "../programs/memory.lua";
import mixedTypes from "../programs/mixed-types.lua";
import waiting from "../programs/waiting.lua";

export interface Program {
  id: string;
  title: string;
  about: string;
  source: string;
}

export const PROGRAMS: readonly Program[] = [
  { id: "counter", title: "Counter", about: "Goes on after a reload", source: counter },
  { id: "todo-list", title: "To-do list", about: "Records, all or nothing", source: todoList },
  { id: "data-processing", title: "Data processing", about: "10,000 rows, indexed", source: dataProcessing },
  { id: "state-machine", title: "State machine", about: "An order that resumes", source: stateMachine },
  { id: "mixed-types", title: "Mixed types", about: "1,000 values, each as it was", source: mixedTypes },
  { id: "waiting", title: "Waiting", about: "Promises, side by side", source: waiting },
  { id: "error", title: "An error", about: "Line, value, traceback", source: error },
  { id: "memory", title: "Out of memory", about: "2 MiB, and no crash", source: memory },
];
