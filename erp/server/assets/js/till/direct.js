// Straight to the box over the shop's network: link_protocol::local.
//
// The browser's key is made here, cannot be taken out, and is kept by the browser. The server signs a grant for it;
// the box trades grant and key for a token of ten minutes, and tells its events from a cursor on.
import { request } from "../dom.js";

const STORE = "till";

function database() {
  return new Promise((done, fail) => {
    const open = indexedDB.open("till", 1);
    open.onupgradeneeded = () => open.result.createObjectStore(STORE);
    open.onsuccess = () => done(open.result);
    open.onerror = () => fail(open.error);
  });
}

async function kept(mode, use) {
  const db = await database();
  try {
    return await new Promise((done, fail) => {
      const transaction = db.transaction(STORE, mode);
      const asked = use(transaction.objectStore(STORE));
      transaction.oncomplete = () => done(asked.result);
      transaction.onerror = () => fail(transaction.error);
    });
  } finally {
    db.close();
  }
}

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

async function browserKey() {
  const have = await kept("readonly", (s) => s.get("key"));
  if (have) return have;
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const key = { private: pair.privateKey, public: base64(await crypto.subtle.exportKey("raw", pair.publicKey)) };
  await kept("readwrite", (s) => s.put(key, "key"));
  return key;
}

async function grantFor(box, key, fresh) {
  const name = `grant ${box}`;
  if (!fresh) {
    const have = await kept("readonly", (s) => s.get(name));
    const week = 7 * 86400000;
    if (have && have.key === key.public && have.not_after_ms > Date.now() + week) return have.signed;
  }
  const signed = await request("POST", "/till/grant", { box, key: key.public });
  const { not_after_ms } = JSON.parse(signed.grant);
  await kept("readwrite", (s) => s.put({ key: key.public, not_after_ms, signed }, name));
  return signed;
}

async function ask(url, body, timeout = 4000) {
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
    credentials: "omit",
    cache: "no-store",
    signal: AbortSignal.timeout(timeout),
  });
  const value = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(value.message ?? `the box answered ${response.status}`), { status: response.status, word: value.error });
  return value;
}

const MIN_PAUSE = 1000;
const MAX_PAUSE = 30000;

/** Calls of `on`: up({devices, outbox, cursor}), down(why), frame(message), rtt(ms). */
export class Direct {
  constructor(on) {
    this.on = on;
    this.box = null;
    this.round = 0;
    this.socket = null;
    this.base = null;
    this.pause = MIN_PAUSE;
    this.why = "";
  }

  /** Begins to reach `box` at one of `urls`; `cursor()` tells where to go on. */
  start(box, urls, cursor) {
    this.stop();
    this.box = box;
    this.urls = urls;
    this.cursor = cursor;
    this.pause = MIN_PAUSE;
    if (urls.length) this.connect(this.round);
  }

  stop() {
    this.round += 1;
    clearTimeout(this.timer);
    clearTimeout(this.renewal);
    clearInterval(this.pinger);
    const old = this.socket;
    this.socket = null;
    this.base = null;
    old?.close();
  }

  get up() {
    return this.socket !== null;
  }

  async connect(round, fresh = false) {
    try {
      const base = await this.find();
      const token = await this.token(base, fresh);
      if (round !== this.round) return;
      await this.open(base, token, round);
      this.pause = MIN_PAUSE;
    } catch (error) {
      if (round !== this.round) return;
      this.why = error.message;
      // The box no longer honours the grant (unpaired and paired again, revoked): one new one, then patience.
      if (!fresh && (error.status === 401 || error.status === 403)) {
        this.connect(round, true);
        return;
      }
      this.later(round);
    }
  }

  later(round) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => round === this.round && this.connect(round), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, MAX_PAUSE);
  }

  /** The first address at which the right box answers with a certificate that this browser trusts. */
  async find() {
    const tries = this.urls.map(async (url) => {
      const hello = await ask(`${url}/v1/hello`, undefined, 3000);
      if (hello.box_id !== this.box) throw new Error("another box answers there");
      return url;
    });
    try {
      return await Promise.any(tries);
    } catch {
      throw new Error("not reachable from this browser, or its certificate is not trusted here");
    }
  }

  async token(base, fresh) {
    const key = await browserKey();
    const signed = await grantFor(this.box, key, fresh);
    const { nonce } = await ask(`${base}/v1/challenge`);
    const text = new TextEncoder().encode(`iot-box token v1|${this.box}|${location.origin}|${nonce}`);
    const proof = base64(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.private, text));
    return ask(`${base}/v1/token`, { ...signed, nonce, proof });
  }

  open(base, token, round) {
    return new Promise((done, fail) => {
      const socket = new WebSocket(`${base.replace(/^http/, "ws")}/v1/ws`);
      const slow = setTimeout(() => socket.close(), 6000);
      let ready = false;
      socket.onopen = () => socket.send(JSON.stringify({ msg: "auth", token: token.token, cursor: this.cursor() }));
      socket.onmessage = ({ data }) => {
        if (round !== this.round) return socket.close();
        const frame = JSON.parse(data);
        if (!ready) {
          if (frame.msg !== "ready") {
            if (frame.msg === "refused") this.why = frame.message;
            return;
          }
          ready = true;
          clearTimeout(slow);
          // The new socket stands before the old one goes: nothing is missed in between.
          const old = this.socket;
          this.socket = socket;
          this.base = base;
          old?.close();
          this.on.up(frame, old !== null);
          this.keep(round, token.expires_in_s);
          done();
          return;
        }
        this.on.frame(frame);
      };
      socket.onclose = () => {
        clearTimeout(slow);
        if (!ready) return fail(new Error(this.why || "the box closed the connection"));
        if (this.socket !== socket || round !== this.round) return;
        this.socket = null;
        clearTimeout(this.renewal);
        clearInterval(this.pinger);
        this.on.down("the connection to the box broke");
        this.later(round);
      };
    });
  }

  keep(round, seconds) {
    clearTimeout(this.renewal);
    this.renewal = setTimeout(() => round === this.round && this.renew(round), Math.max(20, seconds * 0.8) * 1000);
    clearInterval(this.pinger);
    this.pinger = setInterval(() => this.ping(), 5000);
    this.ping();
  }

  async renew(round) {
    try {
      const token = await this.token(this.base, false);
      if (round === this.round && this.socket) await this.open(this.base, token, round);
    } catch {
      // The box closes the socket when the token ends, and the usual reconnection follows.
    }
  }

  async ping() {
    if (!this.base || document.hidden) return;
    const base = this.base;
    try {
      const from = performance.now();
      await ask(`${base}/v1/hello`);
      if (base === this.base) this.on.rtt(performance.now() - from);
    } catch {
      // The socket itself tells when the box is gone.
    }
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }
}
