// End-to-end tests of the client and the functions. web_test.go starts the functions and passes
// their endpoint in ENDPOINT. A user's token is the user's subject.
import assert from "node:assert/strict";
import { test } from "node:test";
import { APIError, newClient, unwrap } from "./client.ts";

const endpoint = process.env.ENDPOINT;
assert.ok(endpoint, "ENDPOINT is missing; run go test ./web, which sets it");
const as = (subject?: string) => newClient(endpoint, async () => subject);
const ada = as("00000000-0000-4000-8000-0000000000aa");
const eve = as("00000000-0000-4000-8000-0000000000bb");
const signedOut = as();

/** Syncs all pages of a user's changes. Returns the kinds of the objects that exist, by id. */
async function syncAll(client: typeof ada): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  let token: string | undefined;
  for (;;) {
    const query = { limit: 2, ...(token && { token }) };
    const page = await unwrap(client.GET("/user/sync", { params: { query } }));
    for (const { kind, id, deleted } of page.changes) {
      deleted ? state.delete(id) : state.set(id, kind);
    }
    if (!page.more) return state;
    token = page.token;
  }
}

test("posts: a post is created, commented and deleted", async () => {
  const draft = { title: "Cutting true", body: "<p>Six faces.<script>steal()</script></p>" };
  await assert.rejects(
    unwrap(ada.POST("/posts", { body: draft })),
    (error: APIError) => error.status === 409 && error.code === "profile_required",
  );
  await unwrap(ada.PUT("/profile", { body: { displayName: "Ada" } }));
  await unwrap(eve.PUT("/profile", { body: { displayName: "Eve", language: "ko" } }));

  const params = { header: { "Idempotency-Key": "7d1c" } };
  const post = await unwrap(ada.POST("/posts", { params, body: draft }));
  assert.deepEqual(await unwrap(ada.POST("/posts", { params, body: draft })), post);
  assert.equal(post.body, "<p>Six faces.</p>");

  const path = { postId: post.id };
  const comment = await unwrap(eve.POST("/posts/{postId}/comments", {
    params: { path },
    body: { body: "True." },
  }));
  const read = await unwrap(signedOut.GET("/posts/{postId}", { params: { path } }));
  assert.deepEqual([read.author.displayName, read.commentCount], ["Ada", 1]);
  const { comments } = await unwrap(signedOut.GET("/posts/{postId}/comments", {
    params: { path },
  }));
  assert.deepEqual(comments, [comment]);
  const { posts } = await unwrap(signedOut.GET("/posts"));
  assert.deepEqual(posts.map(({ id }) => id), [post.id]);

  await assert.rejects(
    unwrap(eve.DELETE("/posts/{postId}", { params: { path } })),
    (error: APIError) => error.status === 404,
  );
  assert.equal((await syncAll(eve)).get(comment.id), "comment");
  await unwrap(ada.DELETE("/posts/{postId}", { params: { path } }));
  assert.equal((await syncAll(eve)).has(comment.id), false);
  assert.equal((await syncAll(ada)).has(post.id), false);
});

test("uploads: a post promotes an uploaded picture", async () => {
  const picture = new Blob(["content of a picture"], { type: "image/png" });
  const { id, key, upload, url, urls } = await unwrap(ada.POST("/uploads", {
    body: { contentType: "image/png" },
  }));
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", picture);
  assert.equal((await fetch(upload.url, { method: "POST", body: form })).status, 204);

  // An upload adapter of CKEditor resolves with urls; the editor writes urls.default into src.
  assert.equal(urls.default, url);
  const img = `<img src="${urls.default}" srcset="${urls["320"]} 320w" width="1920">`;
  const post = await unwrap(ada.POST("/posts", {
    body: { title: "A wall", body: `<figure>${img}</figure>` },
  }));
  const src = String.raw`https://media\.example\.com/permanent/[0-9a-f-]{36}/1280\.jpg`;
  const promoted = new RegExp(`<figure><img src="${src}"/></figure>`);
  assert.match(post.body, promoted);
  await unwrap(ada.DELETE("/uploads/{uploadId}", { params: { path: { uploadId: id } } }));

  const path = { postId: post.id };
  const edited = await unwrap(ada.PUT("/posts/{postId}", {
    params: { path },
    body: { title: post.title, body: post.body + "<p>True.</p>" },
  }));
  assert.equal(edited.body, post.body + "<p>True.</p>");
  await assert.rejects(
    unwrap(eve.POST("/posts", { body: { title: "Mine", body: `<img src="${key}">` } })),
    (error: APIError) => {
      assert.deepEqual([error.status, error.fields.map(({ field }) => field)], [400, ["body"]]);
      return true;
    },
  );
  await unwrap(ada.DELETE("/posts/{postId}", { params: { path } }));
});

test("errors: an error response names each invalid field", async () => {
  await assert.rejects(
    unwrap(ada.PUT("/profile", { body: { displayName: "A\u0000", language: "_" } })),
    (error: APIError) => {
      const fields = error.fields.map(({ field }) => field);
      assert.deepEqual([error.status, error.code], [400, "invalid_request"]);
      assert.deepEqual(fields, ["displayName", "language"]);
      return true;
    },
  );
  await assert.rejects(
    unwrap(signedOut.GET("/profile")),
    (error: APIError) => error.status === 401 && error.code === "unauthenticated",
  );
});

test("accounts: a deleted account is rejected", async () => {
  await unwrap(eve.DELETE("/user"));
  await assert.rejects(
    unwrap(eve.GET("/profile")),
    (error: APIError) => error.status === 403 && error.code === "account_deleted",
  );
});

test("subscriptions: a signed-out visitor subscribes an address", async () => {
  const subscribe = (address: string) => unwrap(signedOut.POST("/subscriptions", {
    body: { address, language: "ko" },
  }));
  assert.deepEqual(await subscribe("ada@example.com"), { confirmationRequired: true });
  await assert.rejects(
    subscribe("ada"),
    (error: APIError) => error.status === 400 && error.fields[0]?.field === "address",
  );

  const params = { path: { token: "bm9uZQ" } };
  await assert.rejects(
    unwrap(signedOut.DELETE("/subscriptions/{token}", { params })),
    (error: APIError) => error.code === "invalid_link",
  );
  const page = await signedOut.GET("/subscriptions/{token}", { params, parseAs: "text" });
  assert.equal(page.response.status, 400);
  assert.match(page.error ?? "", /^<!DOCTYPE html>/);
});
