// Opens pages in Chromium: node look.mjs CHROMIUM FOLDER PAGE...
// Writes a screenshot of each page and view into FOLDER, and prints what is wrong as JSON: axe, overflow, requests.
// With PINNED=1 a second one, NAME-VIEW-pinned.png, in a font of the package's own: line breaks as on any machine.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.cwd()}/`);
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

const pinned = !process.env.PINNED ? "" : [400, 700].map((weight) => {
  const file = require.resolve(`@fontsource/noto-sans/files/noto-sans-latin-${weight}-normal.woff2`);
  const source = `url(data:font/woff2;base64,${readFileSync(file).toString("base64")})`;
  return `@font-face { font-family: Pinned; font-weight: ${weight}; src: ${source}; }`;
}).join(" ") + " * { font-family: Pinned !important; }";

const VIEWS = {
  wide: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  phone: { viewport: { width: 360, height: 740 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  print: { viewport: { width: 794, height: 1123 }, colorScheme: "light" },
};

const [, , program, folder, ...pages] = process.argv;
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
const found = [];
for (const file of pages) {
  const name = basename(file).replace(/\.(html|svg)$/, "");
  for (const [view, options] of Object.entries(VIEWS)) {
    // axe is put into a page whose policy allows no script.
    const context = await browser.newContext({ ...options, bypassCSP: true });
    const page = await context.newPage();
    const requests = [];
    page.on("request", (request) => {
      if (!request.url().startsWith("data:")) requests.push(request.url());
    });
    await page.goto(pathToFileURL(file).href);
    if (view === "print") await page.emulateMedia({ media: "print" });
    await page.screenshot({ path: `${folder}/${name}-${view}.png`, fullPage: true });
    const sizes = await page.evaluate(() => {
      const root = document.documentElement;
      const wide = [];
      for (const each of document.querySelectorAll("body *")) {
        const box = each.getBoundingClientRect();
        if (box.right > root.clientWidth + 1 && !each.closest(".scroll, .hidden, thead, svg")) wide.push(each.tagName);
      }
      return { page_width: root.scrollWidth, window: root.clientWidth, wide };
    });
    let violations = [];
    if (file.endsWith(".html")) {
      await page.addScriptTag({ path: axe });
      const result = await page.evaluate(() => globalThis.axe.run());
      violations = result.violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes[0].html.slice(0, 200) }));
    }
    if (pinned) {
      await page.addStyleTag({ content: pinned });
      await page.evaluate(async () => {
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        // What the font lacks would come from another one.
        while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replace(/[^\x00-\x7f]/g, "*");
        await Promise.all(["400 1em Pinned", "700 1em Pinned"].map((font) => document.fonts.load(font)));
      });
      await page.screenshot({ path: `${folder}/${name}-${view}-pinned.png`, fullPage: true });
    }
    found.push({ page: name, view, ...sizes, violations, requests: requests.slice(1) });
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(found));
