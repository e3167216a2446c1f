import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { answer, APIError, newClient } from "./client.ts";

type Received = Pick<IncomingMessage, "method" | "url" | "headers"> & { body: string };

/** Answers every request with status and body, and keeps the requests. */
async function serve(t: TestContext, status: number, body: string): Promise<{ endpoint: string; requests: Received[] }> {
  const requests: Received[] = [];
  const server = createServer(async (request, response) => {
    let sent = "";
    for await (const chunk of request.setEncoding("utf8")) sent += chunk;
    requests.push({ method: request.method, url: request.url, headers: request.headers, body: sent });
    response.writeHead(status, { "Content-Type": "application/json", Connection: "close" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests };
}

const token = async () => "id-token";
const nobody = async () => undefined;
const post = { id: "0197", author: { displayName: "Ada" }, title: "Engines" };

test("a call has the ID token, its parameters and its body, and returns what it was answered with", async (t) => {
  const { endpoint, requests } = await serve(t, 200, JSON.stringify(post));
  const client = newClient(endpoint, token);
  const { title } = await answer(
    client.PUT("/posts/{postId}", { params: { path: { postId: "a/b" } }, body: { title: "Engines", body: "<p>x</p>" } }),
  );
  assert.equal(title, "Engines");
  assert.equal(requests.length, 1);
  const [request] = requests;
  assert.equal(request?.method, "PUT");
  assert.equal(request?.url, "/v1/posts/a%2Fb");
  assert.equal(request?.headers.authorization, "id-token");
  assert.equal(request?.headers["content-type"], "application/json");
  assert.deepEqual(JSON.parse(request?.body ?? ""), { title: "Engines", body: "<p>x</p>" });
});

test("a call has an idempotency key and a cursor where the API takes them", async (t) => {
  const { endpoint, requests } = await serve(t, 201, JSON.stringify(post));
  const client = newClient(endpoint, token);
  await answer(client.POST("/posts", { params: { header: { "Idempotency-Key": "k" } }, body: { title: "t", body: "b" } }));
  await answer(client.GET("/posts", { params: { query: { cursor: "a+b", limit: 2 } } }));
  assert.equal(requests[0]?.headers["idempotency-key"], "k");
  assert.equal(requests[1]?.url, "/v1/posts?cursor=a%2Bb&limit=2");
});

test("a call by nobody has no token", async (t) => {
  const { endpoint, requests } = await serve(t, 200, JSON.stringify({ posts: [] }));
  await answer(newClient(endpoint, nobody).GET("/posts"));
  assert.equal(requests[0]?.headers.authorization, undefined);
});

test("each call asks for the token again", async (t) => {
  const { endpoint, requests } = await serve(t, 204, "");
  const tokens = ["first", "refreshed"];
  const client = newClient(endpoint, async () => tokens.shift());
  await answer(client.DELETE("/user"));
  await answer(client.DELETE("/user"));
  assert.deepEqual(requests.map((request) => request.headers.authorization), ["first", "refreshed"]);
});

test("an answer without a body is undefined", async (t) => {
  const { endpoint } = await serve(t, 204, "");
  const nothing: undefined = await answer(newClient(endpoint, token).DELETE("/user"));
  assert.equal(nothing, undefined);
});

test("a refusal is thrown with all that the API says", async (t) => {
  const error = {
    code: "invalid_request",
    message: "title is missing.",
    requestId: "r-1",
    fields: [{ field: "title", problem: "is missing" }],
  };
  const { endpoint } = await serve(t, 400, JSON.stringify({ error }));
  await assert.rejects(
    answer(newClient(endpoint, token).POST("/posts", { body: { title: "", body: "" } })),
    (thrown) => thrown instanceof APIError && thrown.status === 400 && thrown.message === error.message
      && thrown.code === error.code && thrown.requestId === "r-1" && thrown.fields[0]?.problem === "is missing",
  );
});

for (const body of ["", "<html>Bad Gateway</html>", "null", "{}", '"error"']) {
  test(`an answer that is not the API's is thrown too: ${body || "nothing"}`, async (t) => {
    const { endpoint } = await serve(t, 502, body);
    await assert.rejects(answer(newClient(endpoint, token).GET("/profile")), { name: "APIError", status: 502, code: "no_answer", fields: [] });
  });
}

/** Never called: what the compiler has to refuse. */
export function refused(): void {
  const client = newClient("", nobody);
  // @ts-expect-error there is no such path
  void client.GET("/profiles");
  // @ts-expect-error there is no such method
  void client.PATCH("/profile");
  // @ts-expect-error the body has no title
  void client.POST("/posts", { body: { body: "" } });
  // @ts-expect-error the post has no id
  void client.GET("/posts/{postId}");
  // @ts-expect-error a summary has no body
  void answer(client.GET("/posts")).then(({ posts }) => posts[0]?.body);
}
