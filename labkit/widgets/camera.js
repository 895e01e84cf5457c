// The browser's half of labkit.widgets.camera: takes the camera, sends JPEG frames to the kernel, draws over the live picture what
// comes back. No frame is stored; at most three are on the way, so that a slow kernel means fewer frames, not late ones.

const WIDTH = 640; // pixels of a frame that is sent
const ON_THE_WAY = 3;
const FILM = "film";
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8749F2"];

const SENTENCES = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it with the camera sign beside the address, then press start.",
  NotFoundError: "No camera was found. Plug one in and press start, or choose the built-in faces.",
  NotReadableError: "The camera cannot be read: another program uses it. Close that program, then press start.",
  OverconstrainedError: "The chosen camera is no longer there. Choose another one, then press start.",
  insecure: "This page is not secure, so the browser gives it no camera. Open it as http://localhost (through an ssh tunnel), or with https.",
  ended: "The camera was unplugged or taken away. Plug it in again, then press start.",
  busy: "The kernel is busy. Frames wait until it is done.",
};

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function select(name, options) {
  const made = element("select", { ariaLabel: name });
  made.setOptions = (pairs) => made.replaceChildren(...pairs.map(([value, text]) => element("option", { value, textContent: text })));
  made.setOptions(options);
  return made;
}

function drawBox(pen, face, scale, mirrored, width) {
  const [x, y, w, h] = face.box.map((v) => v * scale);
  const left = mirrored ? width - x - w : x;
  const colour = face.problem ? "#828282" : COLOURS[(face.number - 1) % COLOURS.length];
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.strokeRect(left, y, w, h);
  const lines = face.problem ? [[`${face.number} ${face.problem}`, 0]] : face.lines;
  lines.forEach(([words, share], i) => {
    const barWidth = Math.max(w, 130);
    const barLeft = Math.max(0, Math.min(left, width - barWidth));
    const top = Math.min(y + h + 3, pen.canvas.height - 19 * lines.length) + 19 * i;
    pen.fillStyle = "rgba(0, 0, 0, 0.75)"; // both so dark that white words are read on them, whatever the picture
    pen.fillRect(barLeft, top, barWidth, 18);
    pen.globalAlpha = 0.6;
    pen.fillStyle = colour;
    pen.fillRect(barLeft, top, barWidth * share, 18);
    pen.globalAlpha = 1;
    pen.fillStyle = "white";
    pen.fillText(words, barLeft + 4, top + 13);
  });
}

function render({ model, el }) {
  const start = element("button", { textContent: "start", className: "camera-button" });
  const stop = element("button", { textContent: "stop", className: "camera-button", disabled: true });
  const source = select("camera", [["", "camera"], [FILM, "built-in faces (no camera)"]]);
  const network = select("model", model.get("choices").map((name) => [name, name]));
  const mirror = element("input", { type: "checkbox", checked: true });
  const rate = element("div", { className: "camera-rate" });
  const message = element("div", { className: "camera-message" });
  message.setAttribute("role", "status");
  const video = element("video", { muted: true, playsInline: true });
  const canvas = element("canvas", { width: WIDTH, height: 480 });
  const small = element("canvas");
  const note = "Frames go to this notebook's kernel and are forgotten there; none is stored, here or there.";
  const controls = [start, stop, source, network, element("label", {}, [mirror, " mirror"])];
  el.classList.add("camera-widget");
  el.append(element("div", { className: "camera-controls" }, controls), canvas, rate, message, element("div", { className: "camera-note", textContent: note }));
  network.value = model.get("chosen");

  let stream = null; // of the camera, while it runs
  let run = 0; // number of the running session; 0: stopped. Answers to an older one are dropped
  let sessions = 0;
  let faces = [];
  let frameWidth = WIDTH;
  let waiting = new Map(); // id -> when it was sent
  let answers = []; // [when it came, how long it took] of the last two seconds
  let nextId = 0;

  const say = (text) => (message.textContent = text);

  function draw() {
    const pen = canvas.getContext("2d");
    pen.save();
    if (mirror.checked) pen.setTransform(-1, 0, 0, 1, canvas.width, 0);
    pen.drawImage(source.value === FILM ? small : video, 0, 0, canvas.width, canvas.height);
    pen.restore();
    pen.font = "13px system-ui, sans-serif";
    faces.forEach((face) => drawBox(pen, face, canvas.width / frameWidth, mirror.checked, canvas.width));
  }

  function measure() {
    const now = performance.now();
    answers = answers.filter(([came]) => now - came < 2000);
    const oldest = waiting.size ? Math.min(...waiting.values()) : now;
    if (now - oldest > 2500) say(SENTENCES.busy);
    else if (message.textContent === SENTENCES.busy) say("");
    if (answers.length < 2) return;
    const seconds = (now - answers[0][0]) / 1000;
    const latency = answers.reduce((sum, [, took]) => sum + took, 0) / answers.length;
    rate.textContent = `${(answers.length / Math.max(seconds, 1)).toFixed(0)} frames/s, ${latency.toFixed(0)} ms`;
  }

  function post(content, buffers) {
    const id = nextId++;
    waiting.set(id, performance.now());
    model.send({ ...content, id, run, seconds: performance.now() / 1000 }, undefined, buffers);
  }

  // One frame to the kernel, if it is not behind.
  async function sendFrame(session) {
    if (waiting.size >= ON_THE_WAY || !video.videoWidth) return;
    small.width = Math.min(WIDTH, video.videoWidth);
    small.height = Math.round((small.width * video.videoHeight) / video.videoWidth);
    small.getContext("2d").drawImage(video, 0, 0, small.width, small.height);
    const blob = await new Promise((done) => small.toBlob(done, "image/jpeg", 0.85));
    const buffer = await blob.arrayBuffer();
    if (session === run) post({ kind: "frame" }, [buffer]);
  }

  async function followCamera(session) {
    let last = -1;
    while (session === run) {
      await new Promise(requestAnimationFrame);
      if (session !== run) break;
      if (canvas.height !== Math.round((canvas.width * video.videoHeight) / video.videoWidth) && video.videoWidth)
        canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
      draw();
      measure();
      if (video.currentTime !== last) {
        last = video.currentTime;
        await sendFrame(session);
      }
    }
  }

  async function followFilm(session) {
    while (session === run) {
      await new Promise(requestAnimationFrame);
      measure();
      if (session === run && waiting.size < ON_THE_WAY - 1) post({ kind: "film" });
    }
  }

  async function openCamera() {
    if (!window.isSecureContext || !navigator.mediaDevices) throw { name: "insecure" };
    const wanted = source.value ? { deviceId: { exact: source.value } } : {};
    return navigator.mediaDevices.getUserMedia({ video: { ...wanted, width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
  }

  async function listCameras() {
    const chosen = source.value;
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    const cameras = devices.map((device, i) => [device.deviceId, device.label || `camera ${i + 1}`]);
    source.setOptions([...(cameras.length ? cameras : [["", "camera"]]), [FILM, "built-in faces (no camera)"]]);
    const used = stream?.getVideoTracks()[0]?.getSettings().deviceId;
    source.value = chosen === FILM ? FILM : used ?? chosen;
  }

  function halt(text = "") {
    run = 0;
    stream?.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
    faces = [];
    waiting = new Map();
    answers = [];
    rate.textContent = "";
    [start.disabled, stop.disabled] = [false, true];
    say(text);
  }

  async function begin() {
    halt();
    const session = (run = ++sessions);
    [start.disabled, stop.disabled] = [true, false];
    model.send({ kind: "start", run: session });
    if (source.value === FILM) return followFilm(session);
    try {
      const opened = await openCamera();
      if (session !== run) return opened.getTracks().forEach((track) => track.stop());
      stream = opened;
      opened.getVideoTracks()[0].addEventListener("ended", () => session === run && halt(SENTENCES.ended));
      video.srcObject = opened;
      await video.play();
      await listCameras();
    } catch (error) {
      if (session === run) halt(SENTENCES[error.name] ?? `The camera cannot be opened: ${error.name} ${error.message ?? ""}`);
      return;
    }
    followCamera(session).catch((error) => session === run && halt(`The camera cannot be read: ${error.message}`));
  }

  async function receive(content, buffers) {
    if (content.run !== run || !waiting.has(content.id)) return;
    const now = performance.now();
    answers.push([now, now - waiting.get(content.id)]);
    waiting.delete(content.id);
    say(content.error ?? "");
    if (content.error) return;
    [faces, frameWidth] = [content.faces, content.width];
    if (!buffers?.length) return;
    const picture = await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" }));
    [small.width, small.height, canvas.height] = [picture.width, picture.height, Math.round((canvas.width * picture.height) / picture.width)];
    small.getContext("2d").drawImage(picture, 0, 0);
    draw();
  }

  start.onclick = begin;
  stop.onclick = () => halt();
  source.onchange = () => run && begin();
  network.onchange = () => {
    model.set("chosen", network.value);
    model.save_changes();
  };
  model.on("msg:custom", receive);
  return () => {
    halt();
    model.off("msg:custom", receive);
  };
}

export default { render };
