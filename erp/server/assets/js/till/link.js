// One till, one box, two ways: straight to the box when this browser can, else through the server. Whoever listens
// hears each event once, whichever way it came.
import { Refused, Unreachable, request } from "../dom.js";
import * as bus from "../bus.js";
import { Direct } from "./direct.js";
import { lateness } from "./sale.js";

export class Link extends EventTarget {
  /** `seen`: which events were counted already. */
  constructor(seen) {
    super();
    this.seen = seen;
    this.box = null;
    this.devices = new Map();
    this.asked = new Map();
    this.online = false;
    this.server = "connecting";
    this.serverRtt = null;
    this.boxRtt = null;
    /** How far the box's clock is behind ours, ms. */
    this.skew = null;
    this.backUntil = 0;
    this.direct = new Direct({
      up: (ready) => this.up(ready),
      down: () => this.changed(),
      frame: (frame) => this.frame(frame),
      rtt: (ms) => {
        this.boxRtt = ms;
        this.changed();
      },
    });
    bus.onMessage((m) => this.fromServer(m));
    bus.onState((state, missed) => {
      this.server = state;
      if (state === "on") this.pingServer();
      if (state === "on") this.back();
      if (state === "on" && missed) this.catchUp();
      this.changed();
    });
    setInterval(() => this.pingServer(), 5000);
    addEventListener("online", () => this.box && !this.direct.up && this.direct.later(this.direct.round));
  }

  /** `row`: the box as /till/config tells it. */
  use(row) {
    this.box = row.box_id;
    this.online = row.online;
    this.unpaired = row.state === "unpaired";
    this.urls = row.urls;
    this.boxRtt = null;
    this.skew = null;
    this.devices = new Map(row.devices.map((d) => [d.identifier, d]));
    this.direct.start(row.box_id, row.urls, () => this.seen.cursor(row.box_id));
    this.changed();
  }

  /** What the server says of the box after messages were missed. */
  renew(row) {
    if (row.online && !this.online) this.back();
    this.online = row.online;
    if (!this.direct.up) this.devices = new Map(row.devices.map((d) => [d.identifier, d]));
    this.changed();
  }

  /** direct, erp or none; with the round trip in ms and, for people, why not direct. */
  get path() {
    if (this.box === null) return { way: "none", ms: null, why: "" };
    if (this.direct.up) return { way: "direct", ms: this.boxRtt, why: "" };
    const why = this.urls?.length ? this.direct.why : "the box has told no address";
    if (this.server === "on" && this.online) return { way: "erp", ms: this.serverRtt, why };
    return { way: "none", ms: null, why: this.server === "on" ? (this.unpaired ? "the box was unpaired" : "the box is offline") : "the server does not answer" };
  }

  /** A connection is back: for a while there may come what happened before. */
  back() {
    this.backUntil = Date.now() + 15000;
  }

  changed() {
    this.dispatchEvent(new CustomEvent("path"));
  }

  up(ready) {
    this.back();
    // Without a cursor nothing was replayed: what the box stored before now is not this till's to sell.
    if (ready.cursor && !this.seen.cursor(this.box)) this.seen.first(this.box, ready.cursor);
    this.states(ready.devices);
    this.changed();
  }

  frame(frame) {
    if (frame.msg === "event") this.event(frame);
    else if (frame.msg === "state") this.states(frame.devices);
    else if (frame.msg === "live") this.live(frame);
    else if (frame.msg === "outcome") this.outcome(frame.id, frame);
    else if (frame.msg === "refused") this.refused(frame.message);
  }

  fromServer(m) {
    if (m.msg === "outcome" && m.outcome) this.outcome(m.command_id, m.outcome);
    if (this.box === null || m.box !== this.box) {
      if (m.msg === "box") this.dispatchEvent(new CustomEvent("box", { detail: m.row }));
      return;
    }
    if (m.msg === "event") this.event(m.event);
    if (m.msg === "live" && !this.direct.up) this.live(m.live);
    if (m.msg === "device" && !this.direct.up) this.state(m.device);
    if (m.msg === "box") {
      if (m.row.online && !this.online) this.back();
      this.online = m.row.online;
      this.unpaired = m.row.state === "unpaired";
      if (!this.direct.up && m.row.devices) for (const d of m.row.devices) this.devices.set(d.identifier, d);
      this.dispatchEvent(new CustomEvent("box", { detail: m.row }));
      this.changed();
    }
  }

  event(event) {
    if (!this.seen.first(this.box, event)) return;
    const { late, skew } = lateness(event.at_ms, Date.now(), this.skew, Date.now() < this.backUntil);
    this.skew = skew;
    if (late) this.back();
    this.dispatchEvent(new CustomEvent("event", { detail: { ...event, late } }));
  }

  live(live) {
    if (live.type === "not_stored") this.dispatchEvent(new CustomEvent("notstored", { detail: live.data }));
    this.dispatchEvent(new CustomEvent("live", { detail: live }));
  }

  states(devices) {
    const gone = new Set(this.devices.keys());
    for (const device of devices) {
      gone.delete(device.id);
      this.devices.set(device.id, { ...device, identifier: device.id });
    }
    for (const id of gone) this.devices.set(id, { ...this.devices.get(id), status: "offline" });
    this.dispatchEvent(new CustomEvent("path"));
  }

  state(device) {
    this.devices.set(device.id, { ...device, identifier: device.id });
    this.dispatchEvent(new CustomEvent("path"));
  }

  /** After the server was away: what it stored in the meantime. */
  async catchUp() {
    const cursor = this.box && this.seen.cursor(this.box);
    if (!cursor || this.direct.up) return;
    try {
      const rows = (await request("GET", "/iot/events")).filter((r) => r.box === this.box && r.epoch === cursor.epoch && r.seq > cursor.seq);
      rows.sort((a, b) => a.seq - b.seq);
      for (const row of rows) {
        this.event({ epoch: row.epoch, seq: row.seq, device: row.device, at_ms: Date.parse(row.at), type: row.type, data: row.data });
      }
    } catch {
      // The next reconnection asks again.
    }
  }

  async pingServer() {
    if (this.server !== "on" || document.hidden) return;
    try {
      const from = performance.now();
      await request("GET", "/web/session", undefined, { timeout: 4000 });
      this.serverRtt = performance.now() - from;
      this.changed();
    } catch {
      // The socket tells.
    }
  }

  outcome(id, outcome) {
    this.asked.get(id)?.(outcome);
  }

  refused(message) {
    this.dispatchEvent(new CustomEvent("refused", { detail: message }));
  }

  /** Runs a command and gives its outcome. `body`: {do, with}. The quicker way is taken; never both. */
  async command(device, body, ttl = 8000) {
    const id = crypto.randomUUID();
    if (this.direct.up) {
      const answer = this.awaited(id, ttl + 3000);
      this.direct.send({ msg: "command", id, device, ttl_ms: ttl, ...body });
      return (await answer) ?? { outcome: "unknown", message: "The box did not tell how it ended." };
    }
    try {
      await request("POST", "/till/command", { command_id: id, box: this.box, device, ttl_ms: ttl, ...body });
    } catch (error) {
      if (error instanceof Unreachable) return { outcome: "unknown", message: "The server did not answer, so nobody here knows whether it happened." };
      return { outcome: "rejected", reason: error.word || "invalid", message: error.message };
    }
    return this.follow(id, ttl + 5000);
  }

  /** The outcome as it comes by socket, or null after `ms`. */
  awaited(id, ms) {
    return new Promise((done) => {
      const timer = setTimeout(() => end(null), ms);
      const end = (outcome) => {
        clearTimeout(timer);
        this.asked.delete(id);
        done(outcome);
      };
      this.asked.set(id, end);
    });
  }

  /** Waits for the end of a command that the server has: pushed, and asked for now and then. */
  async follow(id, ms) {
    const until = Date.now() + ms;
    for (let pause = 700; ; pause = Math.min(pause * 1.5, 4000)) {
      const pushed = await this.awaited(id, Math.max(50, Math.min(pause, until - Date.now())));
      if (pushed) return pushed;
      try {
        const status = await request("GET", `/till/command/${encodeURIComponent(id)}`, undefined, { timeout: 5000 });
        if (status.outcome) return status.outcome;
      } catch (error) {
        if (error instanceof Refused && error.status === 404) return { outcome: "rejected", reason: "invalid", message: "The server never had this command: nothing was sent.", missing: true };
        if (error instanceof Refused && error.status === 401) throw error;
      }
      if (Date.now() > until) return { outcome: "unknown", message: "No answer yet: it may still happen.", silent: true };
    }
  }
}
