// Takes a file, asks the server that sent this page, and shows the reply as text and SVG. Nothing of it becomes HTML.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const page = document.getElementById("page");
const MOST = Number(page.dataset.most);
const TAKES = page.dataset.takes.split(" ");
const control = (id) => document.getElementById(id);
let current = null; // the file that is shown, as {file, name}
let asked = 0; // questions so far: a reply to an older one is too late
let shownUrl = null;

// ---------------------------------------------------------------- elements

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function number(value) {
  if (value === null || value === undefined) return "not finite";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function score(value) {
  const share = value !== null && value >= 0 && value <= 1;
  return share ? `${(100 * value).toFixed(1)}%` : number(value);
}

const label = (found, word = "class") => found.label ?? `${word} ${found.index}`;
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : word.endsWith("x") ? "es" : "s"}`;

function row(name, value, share, swatch) {
  const title = element("b", {}, ...(swatch ? [swatch, " "] : []), name);
  const made = element("li", {}, title, element("span", { class: "n" }, value));
  if (share !== null) {
    made.append(
      drawn("svg", { class: "share", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        drawn("rect", { class: "track", width: 100, height: 6 }),
        drawn("rect", { class: "bar", width: 100 * share, height: 6 })),
    );
  }
  return made;
}

function swatch(attributes) {
  return drawn("svg", { class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" },
    drawn("rect", { width: 10, height: 10, ...attributes }));
}

const colour = (index) => `k${index % 8}`;

// ---------------------------------------------------------------- one output

function classes(output) {
  const bars = output.top.every((each) => each.score !== null && each.score >= 0 && each.score <= 1);
  return element("ul", { class: "rows" },
    ...output.top.map((each) => row(label(each), score(each.score), bars ? each.score : null)));
}

function boxes(output) {
  const found = output.boxes.map((each) => {
    const edges = [each.left, each.top, each.right, each.bottom].map((edge) => number(edge)).join(", ");
    return row(label(each), `${score(each.score)} at ${edges}`, null, swatch({ class: colour(each.index) }));
  });
  return element("div", {}, element("p", { class: "note" }, plural(found.length, "box")),
    element("ul", { class: "rows" }, ...found));
}

function mask(output, overlay) {
  const total = output.classes.reduce((sum, each) => sum + each.pixels, 0);
  const rows = output.classes.map((each) => {
    const fill = overlay?.colors[each.index];
    return row(label(each), score(each.pixels / total), each.pixels / total, fill && swatch({ fill }));
  });
  return element("ul", { class: "rows" }, ...rows);
}

function keypoints(output) {
  const rows = output.points.map((each) =>
    row(label(each, "point"), `${score(each.score)} at ${number(each.x)}, ${number(each.y)}`, null,
      swatch({ class: colour(each.index) })));
  return element("ul", { class: "rows" }, ...rows);
}

function first(values) {
  const some = values.slice(0, 8).map((each) => number(each)).join(" ");
  return values.length > 8 ? `${some} ...` : some;
}

function embedding(output) {
  const like = output.similarity === undefined ? "" : `; similarity with the first file ${number(output.similarity)}`;
  return element("p", { class: "numbers" }, `an embedding of ${output.size}: ${first(output.values)}${like}`);
}

function tensor(output) {
  const limits = output.shape.length ? `, min ${number(output.min)}, max ${number(output.max)}` : "";
  return element("p", { class: "numbers" },
    `${output.dtype} [${output.shape.join(", ")}]${limits}: ${first(output.values)}`);
}

const KINDS = { classes, boxes, mask, keypoints, embedding };

// ---------------------------------------------------------------- over the image

function words(each, [width, height], small) {
  const size = Math.max(width, height) * (small ? 0.055 : 0.03);
  const [x, y] = [each.left ?? 0, each.top ?? 0];
  const right = x > 0.6 * width; // such words would end beyond the image
  const made = drawn("text", {
    x: right ? Math.min(each.right ?? x, width) : Math.max(x, 0), y: Math.max(y - size / 4, size),
    "text-anchor": right ? "end" : "start",
  }, `${label(each)} ${score(each.score)}`);
  made.style.fontSize = `${size}px`;
  return made;
}

function shapes(outputs, frame, small) {
  const made = [];
  for (const output of Object.values(outputs)) {
    for (const each of output.kind === "boxes" ? [...output.boxes].reverse() : []) {
      const [x, y] = [each.left ?? 0, each.top ?? 0];
      const place = { x, y, width: Math.max((each.right ?? 0) - x, 0), height: Math.max((each.bottom ?? 0) - y, 0) };
      const box = drawn("rect", { class: colour(each.index), ...place });
      made.push(drawn("rect", { class: "halo", ...place }), box, words(each, frame, small));
    }
    for (const each of output.kind === "keypoints" ? output.points : []) {
      const d = `M ${each.x ?? 0} ${each.y ?? 0} h 0`;
      made.push(drawn("path", { class: "halo dot", d }), drawn("path", { class: `${colour(each.index)} dot`, d }));
    }
  }
  return made;
}

function figure(image, result, name) {
  const [width, height] = result.frame ?? [image.width, image.height];
  const small = Math.max(width, height) <= 128;
  const kinds = new Set(Object.values(result.outputs).map((output) => output.kind));
  const what = ["boxes", "mask", "keypoints"].filter((kind) => kinds.has(kind)).join(", ");
  const made = drawn("svg", {
    class: small ? "frame small" : "frame", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": what ? `${name} with what was found in it: ${what}` : name,
  });
  made.append(drawn("image", { width, height, href: image.href, preserveAspectRatio: "none" }));
  for (const overlay of Object.values(result.masks)) {
    made.append(drawn("image", {
      width: overlay.width, height: overlay.height, href: overlay.image, preserveAspectRatio: "none",
      transform: `matrix(${overlay.matrix.join(" ")})`, "image-rendering": "pixelated",
    }));
  }
  made.append(...shapes(result.outputs, [width, height], small));
  return made;
}

// ---------------------------------------------------------------- a model's outputs

function refused(error) {
  return element("p", { class: "box" }, `${error.input ? `${error.input}: ` : ""}${error.error}`,
    element("span", { class: "small" }, `Next: ${error.hint}`));
}

async function shownResult(result, image, name) {
  const made = element("div", {});
  if (result.index !== null) {
    const at = result.seconds === undefined ? "" : `, from ${number(result.seconds)} s`;
    made.append(element("h4", {}, `sample ${result.index}${at}`));
  }
  const own = result.preview ? await sized(result.preview) : image;
  if (own) made.append(figure(own, result, name));
  for (const [input, count] of Object.entries(result.texts ?? {})) {
    const words = `${input}: ${plural(count.tokens, "token")}, ${count.unknown} not in the vocabulary, ${count.cut} cut off`;
    made.append(element("p", { class: "note" }, words));
  }
  for (const [output, values] of Object.entries(result.outputs)) {
    const show = KINDS[values.kind] ?? tensor;
    made.append(element("h4", {}, output), show(values, result.masks[output]));
  }
  return made;
}

async function shownModel(model, image, name, several) {
  const made = element("article", { class: "result" }, element("h3", {}, model.title),
    element("p", { class: "note" }, [
      ...(several ? [model.path] : []), model.package || model.runtime,
      ...(model.kernels === "default" ? [] : [`${model.kernels} kernels`]),
    ].join(", ")));
  for (const result of model.results) made.append(await shownResult(result, image, name));
  for (const error of model.errors) made.append(refused(error));
  if (model.left > 0) made.append(element("p", { class: "note" }, `and ${model.left} more samples, not run here`));
  return made;
}

// ---------------------------------------------------------------- asking

function say(words, ...shown) {
  control("status").textContent = words;
  control("results").replaceChildren(...shown);
}

async function sized(href) {
  const image = new Image();
  image.src = href;
  await image.decode();
  return { href, width: image.naturalWidth, height: image.naturalHeight };
}

// What the browser itself can show of the file; the server shows the others.
async function visible(file) {
  if (shownUrl) URL.revokeObjectURL(shownUrl);
  shownUrl = URL.createObjectURL(file);
  try {
    return await sized(shownUrl);
  } catch {
    return null;
  }
}

async function post(address, file) {
  const response = await fetch(address, {
    method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" }, credentials: "omit",
  });
  return response.json();
}

function address(part, words) {
  return `${part}?${new URLSearchParams(words)}`;
}

async function run(file, name) {
  const mine = ++asked;
  current = { file, name };
  for (const button of document.querySelectorAll("[data-on]")) button.disabled = false;
  control("lines")?.replaceChildren();
  const ending = TAKES.find((each) => name.toLowerCase().endsWith(each));
  say(`Running ${name} ...`);
  try {
    const image = ending ? await visible(file) : null;
    const words = { name, runtime: control("runtime").value, kernels: control("kernels").value, preview: image ? 0 : 1 };
    // Of a file that is too large the server would read nothing, and what it says would be lost.
    const tooLarge = file.size > MOST && {
      error: `${name}: it has ${(file.size / 2 ** 20).toFixed(1)} MiB, and this page takes ${MOST / 2 ** 20} MiB at most`,
      hint: "give a smaller file, or run it with `kit emulate BUNDLE -- FILE`",
    };
    const reply = tooLarge || await post(address("run", words), file);
    if (mine !== asked) return;
    if (reply.error) {
      say(`${name} cannot be used.`, refused(reply));
      return;
    }
    const several = reply.models.length > 1;
    const shown = await Promise.all(reply.models.map((each) => shownModel(each, image, name, several)));
    const done = reply.models.some((each) => each.results.length);
    if (mine === asked) say(done ? `${name}:` : `${name} cannot be used.`, ...shown);
  } catch (error) {
    if (mine === asked) say("No reply came.", refused({ error: String(error), hint: "is `kit emulate --serve` still running?" }));
  }
}

async function runElsewhere(button) {
  if (!current) return;
  const lines = control("lines");
  const buttons = document.querySelectorAll("[data-on]");
  for (const each of buttons) each.disabled = true;
  lines.replaceChildren(element("p", { class: "note" }, `${button.textContent}: running ${current.name} ...`));
  try {
    const reply = await post(address("elsewhere", { name: current.name, on: button.dataset.on }), current.file);
    lines.replaceChildren(reply.error ? refused(reply) : element("pre", {}, reply.lines.join("\n")));
  } catch (error) {
    lines.replaceChildren(refused({ error: String(error), hint: "is `kit emulate --serve` still running?" }));
  }
  for (const each of buttons) each.disabled = false;
}

// ---------------------------------------------------------------- what a user does

control("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) run(file, file.name);
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) run(file, file.name);
});

for (const id of ["runtime", "kernels"]) {
  control(id).addEventListener("change", () => current && run(current.file, current.name));
}
for (const button of document.querySelectorAll("[data-on]")) {
  button.addEventListener("click", () => runElsewhere(button));
}

control("write")?.addEventListener("click", () => {
  run(new Blob([control("words").value]), "text.txt");
});

async function openCamera() {
  const video = control("video");
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch (error) {
    say("The camera cannot be used.", refused({ error: `the camera: ${error.message}`, hint: "allow it in the browser, or choose a file" }));
    return;
  }
  control("live").hidden = false;
  control("camera").setAttribute("aria-expanded", "true");
  control("camera").textContent = "Close the camera";
  await video.play();
}

function closeCamera() {
  const video = control("video");
  for (const track of video.srcObject.getTracks()) track.stop();
  video.srcObject = null;
  control("live").hidden = true;
  control("camera").setAttribute("aria-expanded", "false");
  control("camera").textContent = "Use the camera";
}

control("camera")?.addEventListener("click", () => (control("video").srcObject ? closeCamera() : openCamera()));
control("shoot")?.addEventListener("click", () => {
  const video = control("video");
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => run(blob, "camera.png"), "image/png");
});
