// Uses a served page in Chromium, under its own policy: node serve.mjs CHROMIUM FOLDER ADDRESS STEPS
// STEPS is JSON, [[action, argument], ...], done in this order:
//   drop FILE, choose FILE   give a file, dropped on the page or by its file input
//   write TEXT               give a text
//   camera                   take an image of a camera that Chromium makes up
//   select ID=VALUE          choose in a list
//   press ID                 press the button of that id, or with that data-on
//   wait TEXT                until the page says so
//   view NAME                wide, phone or dark
//   look NAME                a screenshot NAME.png into FOLDER, in a font of the package's own; axe; what is too wide
//   style CSS                a style of the test's own, in place of the one before
//   tab N                    press the tab key N times, and note what has the focus after each
//   count SELECTOR           how many such elements there are
//   read ID                  the text of an element
// Prints JSON: looks, focus, counts, texts, requests (to elsewhere), faults (of the console).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";

const require = createRequire(`${process.cwd()}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const FONTS = [400, 700].map((weight) => ({
  weight,
  data: readFileSync(require.resolve(`@fontsource/noto-sans/files/noto-sans-latin-${weight}-normal.woff2`)).toString("base64"),
}));
const VIEWS = {
  wide: [{ width: 1280, height: 900 }, "light"],
  phone: [{ width: 360, height: 740 }, "light"],
  dark: [{ width: 1280, height: 900 }, "dark"],
};

const [, , program, folder, address, steps] = process.argv;
const made = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", ...made] });
const context = await browser.newContext({ viewport: VIEWS.wide[0] });
const page = await context.newPage();
const found = { looks: [], focus: [], counts: [], texts: [], requests: [], faults: [] };
page.on("request", (request) => {
  if (!request.url().startsWith(address) && !/^(data|blob):/.test(request.url())) found.requests.push(request.url());
});
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) found.faults.push(message.text());
});
page.on("pageerror", (error) => found.faults.push(String(error)));
await page.goto(address);
// What the page's policy allows: a font of bytes, a style of a script's.
await page.evaluate(async (fonts) => {
  for (const { weight, data } of fonts) {
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    document.fonts.add(await new FontFace("Pinned", bytes, { weight: String(weight) }).load());
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("* { font-family: Pinned !important; }");
  document.adoptedStyleSheets = [sheet, new CSSStyleSheet()];
}, FONTS);

const actions = {
  async drop(file) {
    const content = { name: basename(file), data: readFileSync(file).toString("base64") };
    const transfer = await page.evaluateHandle(({ name, data }) => {
      const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
      const files = new DataTransfer();
      files.items.add(new File([bytes], name));
      return files;
    }, content);
    for (const event of ["dragover", "drop"]) await page.dispatchEvent("#drop", event, { dataTransfer: transfer });
  },
  choose: (file) => page.setInputFiles("#file", file),
  async write(text) {
    await page.fill("#words", text);
    await page.click("#write");
  },
  async camera() {
    await page.click("#camera");
    await page.waitForFunction(() => document.getElementById("video").videoWidth > 0);
    await page.click("#shoot");
  },
  select: (words) => page.selectOption(`#${words.split("=")[0]}`, words.split("=")[1]),
  press: (id) => page.click(`#${id}, [data-on="${id}"]`),
  wait: (text) => page.waitForFunction((words) => document.body.innerText.includes(words), text, { timeout: 300_000 }),
  async view(name) {
    await page.setViewportSize(VIEWS[name][0]);
    await page.emulateMedia({ colorScheme: VIEWS[name][1] });
  },
  async look(name) {
    await page.mouse.move(0, 0);
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    const look = await page.evaluate(() => {
      const root = document.documentElement;
      const wide = [];
      for (const each of document.querySelectorAll("body *")) {
        const box = each.getBoundingClientRect();
        if (box.right > root.clientWidth + 1 && !each.closest("svg")) wide.push(each.tagName);
      }
      return { page_width: root.scrollWidth, window: root.clientWidth, wide };
    });
    await page.evaluate(axe);
    const result = await page.evaluate(() => globalThis.axe.run());
    const violations = result.violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes[0].html.slice(0, 200) }));
    found.looks.push({ name, ...look, violations });
  },
  style: (css) => page.evaluate((text) => document.adoptedStyleSheets[1].replaceSync(text), css),
  async count(selector) {
    found.counts.push(await page.locator(selector).count());
  },
  async read(id) {
    found.texts.push(await page.locator(`#${id}`).innerText());
  },
  async tab(count) {
    for (let at = 0; at < Number(count); at += 1) {
      await page.keyboard.press("Tab");
      found.focus.push(await page.evaluate(() => document.activeElement.id || document.activeElement.dataset.on || ""));
    }
  },
};
for (const [action, argument] of JSON.parse(steps)) await actions[action](argument);
await browser.close();
console.log(JSON.stringify(found));
