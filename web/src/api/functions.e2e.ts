// What the client and the functions say to each other, for real: web_test.go starts the functions and names their
// endpoint in ENDPOINT. A token is the subject that it stands for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, APIError, newClient } from "./client.ts";

const endpoint = process.env.ENDPOINT;
assert.ok(endpoint, "ENDPOINT is missing");
const as = (subject?: string) => newClient(endpoint, async () => subject);
const ada = as("00000000-0000-4000-8000-0000000000aa");
const eve = as("00000000-0000-4000-8000-0000000000bb");
const anybody = as();

/** Follows a user's changes to the end, and returns the ids of those that are there still. */
async function synced(client: typeof ada): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  let token: string | undefined;
  for (;;) {
    const page = await answer(client.GET("/user/sync", { params: { query: { limit: 2, ...(token && { token }) } } }));
    for (const { kind, id, deleted } of page.changes) deleted ? state.delete(id) : state.set(id, kind);
    if (!page.more) return state;
    token = page.token;
  }
}

test("a post lives and dies, with its comments", async () => {
  const draft = { title: "Cutting true", body: "<p>Six faces.<script>steal()</script></p>" };
  await assert.rejects(answer(ada.POST("/posts", { body: draft })), (error: APIError) => error.status === 409 && error.code === "profile_required");
  await answer(ada.PUT("/profile", { body: { displayName: "Ada" } }));
  await answer(eve.PUT("/profile", { body: { displayName: "Eve", language: "ko" } }));

  const params = { header: { "Idempotency-Key": "7d1c" } };
  const post = await answer(ada.POST("/posts", { params, body: draft }));
  assert.deepEqual(await answer(ada.POST("/posts", { params, body: draft })), post);
  assert.equal(post.body, "<p>Six faces.</p>");

  const path = { postId: post.id };
  const comment = await answer(eve.POST("/posts/{postId}/comments", { params: { path }, body: { body: "True." } }));
  const read = await answer(anybody.GET("/posts/{postId}", { params: { path } }));
  assert.deepEqual([read.author.displayName, read.commentCount], ["Ada", 1]);
  const { comments } = await answer(anybody.GET("/posts/{postId}/comments", { params: { path } }));
  assert.deepEqual(comments, [comment]);
  assert.deepEqual((await answer(anybody.GET("/posts"))).posts.map(({ id }) => id), [post.id]);

  await assert.rejects(answer(eve.DELETE("/posts/{postId}", { params: { path } })), (error: APIError) => error.status === 404);
  assert.equal((await synced(eve)).get(comment.id), "comment");
  await answer(ada.DELETE("/posts/{postId}", { params: { path } }));
  assert.equal((await synced(eve)).has(comment.id), false);
  assert.equal((await synced(ada)).has(post.id), false);
});

test("a picture goes from the browser to a post", async () => {
  const picture = new Blob(["a picture, so to speak"], { type: "image/png" });
  const { id, key, upload, url, urls } = await answer(ada.POST("/uploads", { body: { contentType: "image/png" } }));
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", picture);
  assert.equal((await fetch(upload.url, { method: "POST", body: form })).status, 204);

  // An upload adapter of CKEditor resolves urls, and the editor writes what is the default.
  assert.equal(urls.default, url);
  const post = await answer(ada.POST("/posts", { body: { title: "A wall", body: `<figure><img src="${urls.default}" srcset="${urls["320"]} 320w" width="1920"></figure>` } }));
  const kept = /<figure><img src="(https:\/\/media\.example\.com\/permanent\/[0-9a-f-]{36}\/1280\.jpg)"\/><\/figure>/;
  assert.match(post.body, kept);
  await answer(ada.DELETE("/uploads/{uploadId}", { params: { path: { uploadId: id } } }));

  const path = { postId: post.id };
  const edited = await answer(ada.PUT("/posts/{postId}", { params: { path }, body: { title: post.title, body: post.body + "<p>True.</p>" } }));
  assert.equal(edited.body, post.body + "<p>True.</p>");
  await assert.rejects(answer(eve.POST("/posts", { body: { title: "Mine", body: `<img src="${key}">` } })), (error: APIError) => {
    assert.deepEqual([error.status, error.fields.map(({ field }) => field)], [400, ["body"]]);
    return true;
  });
  await answer(ada.DELETE("/posts/{postId}", { params: { path } }));
});

test("a refusal says what is wrong with each field", async () => {
  await assert.rejects(answer(ada.PUT("/profile", { body: { displayName: "A\u0000", language: "_" } })), (error: APIError) => {
    assert.deepEqual([error.status, error.code, error.fields.map(({ field }) => field)], [400, "invalid_request", ["displayName", "language"]]);
    return true;
  });
  await assert.rejects(answer(anybody.GET("/profile")), (error: APIError) => error.status === 401 && error.code === "unauthenticated");
});

test("an account ends", async () => {
  await answer(eve.DELETE("/user"));
  await assert.rejects(answer(eve.GET("/profile")), (error: APIError) => error.status === 403 && error.code === "account_deleted");
});

test("anybody subscribes an address, and is told what comes next", async () => {
  const subscribe = (address: string) => answer(anybody.POST("/subscriptions", { body: { address, language: "ko" } }));
  assert.deepEqual(await subscribe("ada@example.com"), { confirmationRequired: true });
  await assert.rejects(subscribe("ada"), (error: APIError) => error.status === 400 && error.fields[0]?.field === "address");

  const params = { path: { token: "bm9uZQ" } };
  await assert.rejects(answer(anybody.DELETE("/subscriptions/{token}", { params })), (error: APIError) => error.code === "invalid_link");
  const page = await anybody.GET("/subscriptions/{token}", { params, parseAs: "text" });
  assert.equal(page.response.status, 400);
  assert.match(page.error ?? "", /^<!DOCTYPE html>/);
});
