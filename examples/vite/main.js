/** Notes that stay: Lua adds them, JavaScript shows them. */
import { Lua } from "perilune";

const lua = await Lua.create({ storage: "idb://vite-example" });
lua.eval(`
  function add_note(text)
    local notes = ext.table("notes")
    table.insert(notes, { text = text, number = #notes + 1 })
  end
`);

const list = document.getElementById("notes");
const show = () => {
  const items = [...lua.table("notes").values()].map(({ number, text }) => {
    const item = document.createElement("li");
    item.textContent = `${text} ${number}`;
    return item;
  });
  list.replaceChildren(...items);
};

document.getElementById("add").addEventListener("click", () => lua.call("add_note", "Note"));
// Whoever changes a table, Lua or JavaScript.
lua.on("change", show);
show();
