import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { APIError, newClient, unwrap } from "./client.ts";

type Received = Pick<IncomingMessage, "method" | "url" | "headers"> & { body: string };

/** Starts a server that responds to every request with status and body, and records requests. */
async function serve(
  t: TestContext,
  status: number,
  body: string,
): Promise<{ endpoint: string; requests: Received[] }> {
  const requests: Received[] = [];
  const server = createServer(async (request, response) => {
    let sent = "";
    for await (const chunk of request.setEncoding("utf8")) sent += chunk;
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: sent });
    response.writeHead(status, { "Content-Type": "application/json", Connection: "close" });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}/v1`, requests };
}

const token = async () => "id-token";
const signedOut = async () => undefined;
const post = { id: "0197", author: { displayName: "Ada" }, title: "Engines" };

test("newClient: a request has the ID token, parameters and body", async (t) => {
  const { endpoint, requests } = await serve(t, 200, JSON.stringify(post));
  const client = newClient(endpoint, token);
  const { title } = await unwrap(client.PUT("/posts/{postId}", {
    params: { path: { postId: "a/b" } },
    body: { title: "Engines", body: "<p>x</p>" },
  }));
  assert.equal(title, "Engines");
  assert.equal(requests.length, 1);
  const [request] = requests;
  assert.equal(request?.method, "PUT");
  assert.equal(request?.url, "/v1/posts/a%2Fb");
  assert.equal(request?.headers.authorization, "id-token");
  assert.equal(request?.headers["content-type"], "application/json");
  assert.deepEqual(JSON.parse(request?.body ?? ""), { title: "Engines", body: "<p>x</p>" });
});

test("newClient: a request has its idempotency key and its cursor", async (t) => {
  const { endpoint, requests } = await serve(t, 201, JSON.stringify(post));
  const client = newClient(endpoint, token);
  await unwrap(client.POST("/posts", {
    params: { header: { "Idempotency-Key": "k" } },
    body: { title: "t", body: "b" },
  }));
  await unwrap(client.GET("/posts", { params: { query: { cursor: "a+b", limit: 2 } } }));
  assert.equal(requests[0]?.headers["idempotency-key"], "k");
  assert.equal(requests[1]?.url, "/v1/posts?cursor=a%2Bb&limit=2");
});

test("newClient: a request without a signed-in user has no token", async (t) => {
  const { endpoint, requests } = await serve(t, 200, JSON.stringify({ posts: [] }));
  await unwrap(newClient(endpoint, signedOut).GET("/posts"));
  assert.equal(requests[0]?.headers.authorization, undefined);
});

test("newClient: each request gets a fresh ID token", async (t) => {
  const { endpoint, requests } = await serve(t, 204, "");
  const tokens = ["first", "refreshed"];
  const client = newClient(endpoint, async () => tokens.shift());
  await unwrap(client.DELETE("/user"));
  await unwrap(client.DELETE("/user"));
  const sent = requests.map((request) => request.headers.authorization);
  assert.deepEqual(sent, ["first", "refreshed"]);
});

test("unwrap: a response without a body is undefined", async (t) => {
  const { endpoint } = await serve(t, 204, "");
  const nothing: undefined = await unwrap(newClient(endpoint, token).DELETE("/user"));
  assert.equal(nothing, undefined);
});

test("unwrap: an error response is thrown as an APIError with all fields", async (t) => {
  const error = {
    code: "invalid_request",
    message: "title is missing.",
    requestId: "r-1",
    fields: [{ field: "title", problem: "is missing" }],
  };
  const { endpoint } = await serve(t, 400, JSON.stringify({ error }));
  await assert.rejects(
    unwrap(newClient(endpoint, token).POST("/posts", { body: { title: "", body: "" } })),
    (thrown) => thrown instanceof APIError && thrown.status === 400
      && thrown.message === error.message && thrown.code === error.code
      && thrown.requestId === "r-1" && thrown.fields[0]?.problem === "is missing",
  );
});

for (const body of ["", "<html>Bad Gateway</html>", "null", "{}", '"error"']) {
  test(`unwrap: an intermediary's error is an APIError: ${body || "empty"}`, async (t) => {
    const { endpoint } = await serve(t, 502, body);
    await assert.rejects(
      unwrap(newClient(endpoint, token).GET("/profile")),
      { name: "APIError", status: 502, code: "invalid_response", fields: [] },
    );
  });
}

/** Calls that the compiler must reject. It is compiled, not executed. */
export function invalidCalls(): void {
  const client = newClient("", signedOut);
  // @ts-expect-error there is no such path
  void client.GET("/profiles");
  // @ts-expect-error there is no such method
  void client.PATCH("/profile");
  // @ts-expect-error the body has no title
  void client.POST("/posts", { body: { body: "" } });
  // @ts-expect-error the post has no id
  void client.GET("/posts/{postId}");
  // @ts-expect-error a summary has no body
  void unwrap(client.GET("/posts")).then(({ posts }) => posts[0]?.body);
}
