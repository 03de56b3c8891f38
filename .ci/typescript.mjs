// The TypeScript SDKs, of the protocol's first era (v1, and v2 by initialize) and of its second (v2), against one server.
//   typescript.mjs URL COMMAND ARGUMENT...     URL of the server over HTTP; the command starts it over stdio
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as FirstHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, command, ...args] = process.argv.slice(2);
const kernel = (sign) => `//@ launch add<<<ceil_div(n, 256), 256>>>(x, y, out, n)
__global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) out[i] = x[i] ${sign} y[i];
}
`;
const me = { name: "typescript", version: "1" };
const modern = { versionNegotiation: { mode: "auto" } };
const made = [
  ["sdk v1", (http) => [new FirstClient(me), http ? new FirstHttp(new URL(url)) : new FirstStdio({ command, args, env: process.env })], null],
  ["client v2, initialize", (http) => [new Client(me), transport(http)], null],
  ["client v2, discover", (http) => [new Client(me, modern), transport(http)], "2026-07-28"],
];

function transport(http) {
  return http ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport({ command, args, env: process.env });
}

// Call a tool; a job, where the machine is busy, is followed to its answer. The SDK holds answers against their schemas.
async function call(client, name, given) {
  let answer = await client.callTool({ name, arguments: given });
  for (const job = answer.structuredContent?.job; job && !answer.isError; ) {
    answer = await client.callTool({ name: "job_status", arguments: { job } });
    if (!["waiting", "running"].includes(answer.structuredContent.state)) return { structuredContent: answer.structuredContent.answer };
  }
  return answer;
}

async function searched(client) {
  const asked = { task: "vector_add", candidates: 1, depth: 1, approve: true };
  const { run } = (await call(client, "start_search", asked)).structuredContent;
  for (;;) {
    const status = (await call(client, "search_status", { run })).structuredContent;
    if (status.plans) await call(client, "start_search", { resume: run, plans: status.plans });
    else if (status.state !== "running") break;
  }
  const found = (await call(client, "search_result", { run })).structuredContent;
  assert.equal(found.verdict, "pass");
  const report = await client.readResource({ uri: `warpwright://runs/${run}/report.md` });
  assert.match(report.contents[0].text, new RegExp(run));
}

for (const [name, make, era] of made) {
  for (const http of [false, true]) {
    const [client, wire] = make(http);
    await client.connect(wire);
    if (era) assert.equal(client.getNegotiatedProtocolVersion(), era);
    const { tools } = await client.listTools();
    assert.ok(tools.length > 15);
    const right = await call(client, "test_kernel", { task: "vector_add", kernel: kernel("+") });
    assert.equal(right.structuredContent.verdict, "pass");
    const wrong = http ? right : await call(client, "test_kernel", { task: "vector_add", kernel: kernel("-") });
    assert.equal(wrong.structuredContent.verdict, http ? "pass" : "wrong_result");
    const mistaken = await call(client, "test_kernel", { task: "vector_add", kernle: "" });
    assert.ok(mistaken.isError && mistaken.content[0].text.includes("did you mean kernel?"));
    const prompts = (await client.listPrompts()).prompts.length;
    const resources = (await client.listResources()).resources.length;
    if (!http && era) await searched(client);
    console.log(`${name}, ${http ? "http" : "stdio"}: ${tools.length} tools, ${prompts} prompts, ${resources} resources; right, wrong and mistaken calls answered`);
    await client.close();
  }
}
console.log("a search was approved, ended and read over stdio");
