// The page of labkit.widgets.annotator: shows the session's state, tells the kernel which button or key was pressed.

const COMMANDS = ["back", "next", "skip", "unset", "flag", "zoom"];
const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "space" };

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function keyed(key, words) {
  const made = element("button", { type: "button", ariaLabel: words }, [element("kbd", { textContent: SIGNS[key] ?? key }), words]);
  made.setAttribute("aria-keyshortcuts", key);
  return made;
}

function render({ model, el }) {
  const name = element("span", { className: "annotator-name" });
  const where = element("span");
  const bar = element("div");
  const image = element("img");
  const frame = element("div", { className: "annotator-frame", tabIndex: -1 }, [image]);
  const rows = element("div", { className: "annotator-rows" });
  const commands = element("div", { className: "annotator-commands" });
  const message = element("div", { className: "annotator-message" });
  const counts = element("div", { className: "annotator-counts" });
  const spoken = element("div", { className: "annotator-spoken" });
  const root = element("div", { className: "annotator", tabIndex: 0 }, [
    element("div", { className: "annotator-top" }, [name, where, element("div", { className: "annotator-bar" }, [bar])]),
    element("div", { className: "annotator-body" }, [frame, element("div", { className: "annotator-rows" }, [rows, commands])]),
    message,
    counts,
    spoken,
  ]);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab has shortcuts of its own for digits and letters
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Annotator: digits answer, arrow keys move");
  spoken.setAttribute("role", "status");
  message.setAttribute("role", "alert");
  el.append(root);

  let address = "";
  const state = () => model.get("state");
  const tell = (content) => model.send({ ...content, picture: state().picture });
  const command = (what) => (what === "zoom" ? zoom() : tell({ kind: "command", command: what }));

  function zoom() {
    frame.classList.toggle("zoomed");
    const middle = (side) => (frame[`scroll${side}`] - frame[`client${side}`]) / 2;
    frame.scrollTo(middle("Width"), middle("Height"));
  }

  function button(key, words, press) {
    const made = keyed(key, words);
    made.onclick = () => {
      press();
      root.focus({ preventScroll: true }); // so that the next key is heard
    };
    return made;
  }

  // Rows are made once: a button that has the focus keeps it while its state changes.
  const made = state();
  const choices = made.rows.map((row) => {
    const buttons = row.classes.map((word, i) => {
      const one = button(String(i + 1), word, () => tell({ kind: "label", attribute: row.attribute, value: word }));
      one.setAttribute("role", "radio");
      return one;
    });
    const group = element("div", {}, buttons);
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", row.title);
    const line = element("div", { className: "annotator-row" }, [element("div", { className: "annotator-title", textContent: row.title }), group]);
    rows.append(line);
    return { line, buttons };
  });
  const offered = COMMANDS.filter((what) => what !== "flag" || made.flag);
  const pressed = Object.fromEntries(
    offered.map((what) => [what, button(made.keys[what], what === "flag" ? made.flag.title : what, () => command(what))])
  );
  commands.append(...Object.values(pressed));

  function showPicture() {
    URL.revokeObjectURL(address);
    const bytes = model.get("picture");
    address = bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/png" })) : "";
    address ? (image.src = address) : image.removeAttribute("src");
    frame.classList.remove("zoomed");
  }

  function show() {
    const now = state();
    name.textContent = now.name;
    image.alt = `picture ${now.name}`;
    where.textContent = `picture ${now.picture + 1} of ${now.pictures} · ${now.done} done · ${now.annotator}`;
    bar.style.width = `${(100 * now.done) / now.pictures}%`;
    now.rows.forEach((row, i) => {
      choices[i].line.classList.toggle("asked", row.attribute === now.asked);
      choices[i].buttons.forEach((one, j) => one.setAttribute("aria-checked", String(row.classes[j] === row.value)));
    });
    if (now.flag) pressed.flag.setAttribute("aria-pressed", String(now.flag.value));
    message.textContent = now.message;
    const told = Object.entries(now.counts).map(([title, each]) => `${title}: ${Object.entries(each).map(([word, n]) => `${word} ${n}`).join(", ")}`);
    counts.textContent = told.join(" · ");
    const asked = now.rows.find((row) => row.attribute === now.asked);
    const answers = asked.classes.map((word, i) => `${i + 1} ${word}`).join(", ");
    spoken.textContent = `Picture ${now.picture + 1} of ${now.pictures}. ${asked.title}${asked.value ? `, is ${asked.value}` : ""}: ${answers}`;
  }

  root.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const what = Object.entries(state().keys).find(([, key]) => key === event.key)?.[0];
    if (/^[1-9]$/.test(event.key)) tell({ kind: "digit", number: Number(event.key) });
    else if (what) command(what);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  model.on("change:state", show);
  model.on("change:picture", showPicture);
  showPicture();
  show();
  return () => {
    model.off("change:state", show);
    model.off("change:picture", showPicture);
    URL.revokeObjectURL(address);
  };
}

export default { render };
