// Small tools over the DOM: elements, requests, and the exchange of a page's pieces.

/** h("button", {class: "button", onclick: f}, "Words", child) */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

const assets = new URL("..", import.meta.url).pathname;

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${assets}icons.svg#${name}`);
  svg.append(use);
  return svg;
}

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** A notice as `view::layout::notice` writes it. */
export function notice(tone, words) {
  return h("div", { class: `notice ${tone}` }, icon(tone === "ok" ? "check" : tone === "info" ? "info" : "alert"), h("div", {}, h("p", {}, words)));
}

/** Messages of programs are clauses ("the printer is out of paper"); on a page they stand alone. */
export function sentence(words) {
  if (!words) return "";
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** What the server refused, with its own words. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.message || `the server answered ${status}`);
    this.status = status;
    this.word = body.error || "";
    this.body = body;
  }
}

/** The server could not be reached, so nobody knows whether the request arrived. */
export class Unreachable extends Error {}

const csrf = () => $('meta[name="csrf-token"]')?.content ?? "";

export async function request(method, path, body, { timeout = 15000 } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: "application/json", "X-CSRF-Token": csrf(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
      cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    throw new Unreachable("The server does not answer.", { cause: error });
  }
  const text = await response.text().catch(() => "");
  let value = {};
  try {
    value = text ? JSON.parse(text) : {};
  } catch {
    value = { message: `the server answered ${response.status} with something that is not JSON` };
    if (response.ok) throw new Refused(response.status, value);
  }
  if (!response.ok) {
    if (response.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
    throw new Refused(response.status, value);
  }
  return value;
}

/** Fetches this page's changing part again, as `view/*.rs` makes it, and exchanges what differs. */
export async function refresh(name, query = {}) {
  const place = $(`[data-fragment="${name}"]`);
  if (!place) return null;
  const html = await fragment(query);
  if (html === null) return null;
  morphChildren(place, html.body);
  place.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
  return place;
}

/** The fragment as a document of its own, or null when it could not be had. */
export async function fragment(query = {}) {
  const url = new URL(location.href);
  url.hash = "";
  url.searchParams.set("fragment", "1");
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  try {
    const response = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (response.redirected || response.status === 401) {
      document.dispatchEvent(new CustomEvent("signed-out"));
      return null;
    }
    if (!response.ok) return null;
    return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return null;
  }
}

const key = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") || node.id || null : null);

/** Makes the children of `place` equal to those of `wanted`, keeping elements (and so focus) wherever it can. */
export function morphChildren(place, wanted) {
  const keyed = new Map();
  for (const child of place.children) if (key(child)) keyed.set(key(child), child);
  let at = place.firstChild;
  for (const want of [...wanted.childNodes]) {
    const k = key(want);
    let have = null;
    if (k && keyed.has(k)) {
      have = keyed.get(k);
      keyed.delete(k);
      if (have !== at) place.insertBefore(have, at);
    } else if (!k && at && !key(at) && at.nodeName === want.nodeName) {
      have = at;
    }
    if (have) {
      morph(have, want);
      at = have.nextSibling;
    } else {
      place.insertBefore(document.importNode(want, true), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function morph(have, want) {
  if (have.nodeType !== 1) {
    if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
    return;
  }
  // Written by this page's modules: the server's text is only the beginning.
  if (have.hasAttribute("data-reading")) return;
  if (have.hasAttribute("data-when") && have.getAttribute("datetime") === want.getAttribute("datetime")) return;
  for (const { name, value } of [...want.attributes]) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
  for (const { name } of [...have.attributes]) if (!want.hasAttribute(name)) have.removeAttribute(name);
  morphChildren(have, want);
}
