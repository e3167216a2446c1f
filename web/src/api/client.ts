// The client of the API. What it can call is in schema.d.ts, which is made from docs/openapi.json.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Schemas = components["schemas"];

/** Why the API did not do what it was asked. */
export class APIError extends Error {
  override readonly name = "APIError";
  readonly status: number;
  /** What is wrong, for programs: profile_required, say. */
  readonly code: string;
  /** Names the request in the API's logs. */
  readonly requestId: string;
  /** What is wrong with each field of an invalid request. */
  readonly fields: Schemas["Field"][];

  constructor(status: number, { code, message, requestId, fields }: Schemas["Error"]) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.fields = fields ?? [];
  }
}

/**
 * Makes a client of the API at endpoint. idToken is asked before each request for the signed-in user's ID token, which
 * expires within the hour; undefined means that nobody is signed in.
 */
export function newClient(endpoint: string, idToken: () => Promise<string | undefined>): Client<paths> {
  const client = createClient<paths>({ baseUrl: endpoint });
  client.use({
    async onRequest({ request }) {
      const token = await idToken();
      if (token !== undefined) request.headers.set("Authorization", token);
    },
  });
  return client;
}

/** Waits for a call and returns what it was answered with; throws an APIError if it was refused. */
export async function answer<T>(call: Promise<{ data?: T; error?: Schemas["ErrorBody"]; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T; // undefined where T is: a 204 has no body
  // Something between here and the API may answer with anything.
  const said = (error as Partial<Schemas["ErrorBody"]> | undefined)?.error;
  throw new APIError(response.status, said ?? { code: "no_answer", message: `Status ${response.status} without a reason.`, requestId: "" });
}
