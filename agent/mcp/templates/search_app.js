"use strict";
// The part of MCP Apps (2026-01-26) that this view needs: JSON-RPC with the host by postMessage.
const VIEW = "warpwright/view";
const WAIT_S = 10;
const byId = (id) => document.getElementById(id);
const asked = new Map();
let last = 0, mayCall = false, ended = false, following = "";

function send(message) {
  window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
}
function ask(method, params) {
  const id = ++last;
  send({ id, method, params });
  return new Promise((resolve, reject) => asked.set(id, { resolve, reject }));
}
function answered(message) {
  const waiting = asked.get(message.id);
  asked.delete(message.id);
  if (waiting) message.error ? waiting.reject(message.error) : waiting.resolve(message.result);
}
function dress(context) {
  if (context && context.theme) document.documentElement.dataset.theme = context.theme;
}
// What steers a reader's eye is named, as the server's pages name it.
function visible(text) {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (one) => `\u27e8U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`
  );
}
function tell(told) {
  const bar = byId("progress-bar");
  bar.hidden = told.candidates_judged === undefined;
  if (!bar.hidden) {
    bar.max = Math.max(1, told.candidates_total);
    bar.value = told.candidates_judged;
  }
  const judged = bar.hidden ? "" : `, ${told.candidates_judged} of at most ${told.candidates_total} candidates judged`;
  byId("status").textContent = visible(`${told.state || told.verdict || ""}${judged}. ${told.message || ""}`);
}
function show(result) {
  const told = (result && result.structuredContent) || {};
  if (told.state || told.verdict) tell(told);
  else byId("status").textContent = result && result.isError ? "The tool could not do it." : "";
  const html = result && result._meta && result._meta[VIEW];
  if (html) byId("view").innerHTML = html; // made and escaped by the server, as its reports are
  else if (!byId("view").innerHTML && result && result.content)
    byId("view").textContent = visible(result.content.filter((one) => one.type === "text").map((one) => one.text).join("\n"));
  follow(told);
}
// While a search or a job goes on, ask for it through the host, where the host lets views call tools.
async function follow(told) {
  const search = told.run && told.state === "running";
  const job = told.job && !["completed", "failed", "cancelled", "interrupted"].includes(told.state);
  const name = search ? told.run : job ? told.job : "";
  if (!name || !mayCall || ended || following === name) return;
  following = name;
  const call = search
    ? { name: "search_status", arguments: { run: name, wait_s: WAIT_S } }
    : { name: "job_status", arguments: { job: name, wait_s: WAIT_S } };
  try {
    const next = await ask("tools/call", call);
    following = "";
    if (!ended && !next.isError) show(next);
  } catch {
    byId("status").textContent += " (not followed any further: the host refused)";
  }
}

const TAKEN = {
  "ui/notifications/tool-result": (params) => show(params),
  "ui/notifications/tool-cancelled": () => { byId("status").textContent = "The call was cancelled."; },
  "ui/notifications/host-context-changed": (params) => dress(params),
};
window.addEventListener("message", (event) => {
  const message = event.data;
  if (event.source !== window.parent || !message || message.jsonrpc !== "2.0") return;
  if (!message.method) return answered(message);
  if (TAKEN[message.method]) return TAKEN[message.method](message.params);
  if (message.id === undefined) return;
  ended = ended || message.method === "ui/resource-teardown";
  if (ended || message.method === "ping") send({ id: message.id, result: {} });
  else send({ id: message.id, error: { code: -32601, message: "this view has no such method" } });
});

ask("ui/initialize", {
  appInfo: { name: "warpwright", version: "1" },
  appCapabilities: {},
  protocolVersion: "2026-01-26",
}).then((host) => {
  mayCall = Boolean(host.hostCapabilities && host.hostCapabilities.serverTools);
  dress(host.hostContext);
  send({ method: "ui/notifications/initialized" });
  new ResizeObserver(() => {
    const box = document.documentElement.getBoundingClientRect();
    send({ method: "ui/notifications/size-changed", params: { width: Math.ceil(box.width), height: Math.ceil(box.height) } });
  }).observe(document.documentElement);
});
