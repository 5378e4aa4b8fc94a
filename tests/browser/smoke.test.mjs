// Every page in a real browser, against a running server:
//   ERP_URL=https://127.0.0.1:8069 ERP_LOGIN=admin ERP_PASSWORD=... node --test smoke.test.mjs
// CHROMIUM names another browser than /usr/bin/chromium. Pictures go to out/.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const { ERP_URL, ERP_LOGIN, ERP_PASSWORD, CHROMIUM = "/usr/bin/chromium" } = process.env;
const OUT = new URL("out/", import.meta.url).pathname;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = {
  desktop: { width: 1280, height: 800 },
  tablet: { width: 820, height: 1180 },
  phone: { width: 390, height: 844 },
};
const PAGES = { home: "/", boxes: "/iot/boxes", connect: "/iot/connect", devices: "/iot/devices", events: "/iot/events", till: "/till" };

let browser;
let signedIn;

before(async () => {
  assert.ok(ERP_URL && ERP_LOGIN && ERP_PASSWORD, "set ERP_URL, ERP_LOGIN and ERP_PASSWORD");
  mkdirSync(OUT, { recursive: true });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
});
after(() => browser?.close());

/** A page that fails the test when it logs an error. */
async function open(options = {}, { allow = [] } = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: SIZES.desktop, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (e) => errors.push(`${page.url()}: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error" && !allow.some((a) => m.text().includes(a))) errors.push(`${page.url()}: ${m.text()}`);
  });
  return { page, context, errors };
}

async function signIn(page) {
  await page.goto(`${ERP_URL}/web/login`);
  await page.fill("#login", ERP_LOGIN);
  await page.fill("#password", ERP_PASSWORD);
  await page.click("button[type=submit]");
  await page.waitForURL((url) => !url.pathname.startsWith("/web/login"));
}

/** One sign-in for all tests: the server slows down who signs in often. */
async function session() {
  if (!signedIn) {
    const { page, context } = await open();
    await signIn(page);
    signedIn = await context.storageState();
    await context.close();
  }
  return signedIn;
}

async function axe(page) {
  // By the debugger, so that the page's policy need not allow it.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  return serious.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
}

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

async function settled(page, name) {
  if (name === "till") await page.waitForSelector('[data-products][aria-busy="false"]');
  else if (await page.locator(".live").count()) await page.waitForSelector('.live[data-live="on"]');
  await page.waitForTimeout(250);
}

test("the keyboard alone signs in and comes to the page that was asked for", async () => {
  const { page, context, errors } = await open();
  await page.goto(`${ERP_URL}/iot/devices`);
  assert.equal(new URL(page.url()).pathname, "/web/login");
  assert.deepEqual(await axe(page), []);
  await page.screenshot({ path: `${OUT}login-desktop.png` });
  await page.keyboard.type(ERP_LOGIN);
  await page.keyboard.press("Tab");
  await page.keyboard.type(ERP_PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === "/iot/devices");
  signedIn ??= await context.storageState();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
  assert.deepEqual(errors, []);
  await context.close();
});

test("a wrong password is told beside the form, and what was typed as login stays", async () => {
  const { page, context } = await open();
  await page.goto(`${ERP_URL}/web/login?next=%2Ftill`);
  await page.fill("#login", ERP_LOGIN);
  await page.fill("#password", "surely not this one");
  await page.click("button[type=submit]");
  await page.waitForSelector("[role=alert] .notice");
  assert.equal(await page.inputValue("#login"), ERP_LOGIN);
  assert.equal(await page.inputValue("[name=next]"), "/till");
  assert.equal(await page.evaluate(() => document.activeElement.id), "password");
  await page.screenshot({ path: `${OUT}login-wrong-desktop.png` });
  await context.close();
});

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const scheme of ["light", "dark"]) {
    test(`every page at ${size} size, ${scheme}: no errors, no sideways scrolling, no barriers`, async () => {
      // Boxes whose certificate this browser does not trust, or whose name it cannot find, are told in words by the till.
      const allow = ["net::ERR_"];
      const { page, context, errors } = await open({ viewport, colorScheme: scheme, storageState: await session() }, { allow });
      for (const [name, path] of Object.entries(PAGES)) {
        const response = await page.goto(ERP_URL + path);
        assert.equal(response.status(), 200, path);
        assert.equal(new URL(page.url()).pathname, path);
        await settled(page, name);
        await page.screenshot({ path: `${OUT}${name}-${size}-${scheme}.png` });
        assert.equal(await overflow(page), 0, `${path} scrolls sideways`);
        assert.deepEqual(await axe(page), [], path);
      }
      assert.deepEqual(errors, []);
      await context.close();
    });
  }
}

test("an address that is not there gets a page that says so", async () => {
  const { page, context } = await open({ storageState: await session() });
  const response = await page.goto(`${ERP_URL}/no/such/page`);
  assert.equal(response.status(), 404);
  assert.match(await page.textContent("h1"), /no such page/);
  assert.deepEqual(await axe(page), []);
  await page.screenshot({ path: `${OUT}missing-desktop.png` });
  await context.close();
});

test("pages allow no inline script and no frame around them", async () => {
  const { page, context } = await open({ storageState: await session() });
  for (const path of Object.values(PAGES)) {
    const policy = (await page.goto(ERP_URL + path)).headers()["content-security-policy"];
    assert.match(policy, /script-src 'self'|default-src 'self'/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
  }
  await context.close();
});

test("the till: search by keyboard, touch, total, F2, and the sale survives a reload", async () => {
  const { page, context } = await open({ storageState: await session() });
  await page.goto(`${ERP_URL}/till`);
  await settled(page, "till");
  const piece = page.locator(".product", { hasNot: page.locator("svg") }).first();
  const name = await piece.locator(".product-name").textContent();
  await page.keyboard.press("/");
  await page.keyboard.type(name.slice(0, 6));
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-line]");
  await piece.click();
  assert.equal(await page.textContent("[data-line] output"), "2");
  const total = await page.textContent("dd[data-total]");
  await page.reload();
  await settled(page, "till");
  assert.equal(await page.textContent("dd[data-total]"), total);
  await page.keyboard.press("F2");
  await page.waitForSelector("dialog[open][data-pay-sheet]");
  assert.equal(await page.evaluate(() => document.activeElement.id), "cash");
  assert.equal(await page.textContent("[data-pay-total]"), total);
  await page.fill("#cash", "0.01");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("[data-cash-error]"), /short/);
  assert.deepEqual(await axe(page), []);
  await page.screenshot({ path: `${OUT}till-pay-desktop.png` });
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("dialog[open]").count(), 0);
  await page.click("[data-clear]");
  assert.equal(await page.locator("[data-line]").count(), 0);
  await context.close();
});

test("the till on a phone shows the sale on its own half", async () => {
  const { page, context } = await open({ viewport: SIZES.phone, storageState: await session() });
  await page.goto(`${ERP_URL}/till`);
  await settled(page, "till");
  await page.locator(".product", { hasNot: page.locator("svg") }).first().click();
  await page.click('[data-show="sale"]');
  assert.ok(await page.isVisible("[data-line]"));
  assert.ok(await page.isVisible("[data-pay]"));
  await page.screenshot({ path: `${OUT}till-sale-phone.png` });
  assert.equal(await overflow(page), 0);
  await context.close();
});
