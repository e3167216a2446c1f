// Client of the API. Its calls are typed by schema.d.ts, which is generated from docs/openapi.json.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Schemas = components["schemas"];

/** An error response of the API. */
export class APIError extends Error {
  override readonly name = "APIError";
  readonly status: number;
  /** Error code for programs, such as profile_required. */
  readonly code: string;
  /** Identifies the request in the API's logs. */
  readonly requestId: string;
  /** The problem with each invalid field of the request. */
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
 * Creates a client of the API at endpoint. It calls idToken before each request for the signed-in
 * user's ID token, which expires within the hour; undefined means that nobody is signed in.
 */
export function newClient(
  endpoint: string,
  idToken: () => Promise<string | undefined>,
): Client<paths> {
  const client = createClient<paths>({ baseUrl: endpoint });
  client.use({
    async onRequest({ request }) {
      const token = await idToken();
      if (token !== undefined) request.headers.set("Authorization", token);
    },
  });
  return client;
}

/** Awaits a call and returns the body of its response; throws an APIError for an error response. */
export async function unwrap<T>(
  call: Promise<{ data?: T; error?: Schemas["ErrorBody"]; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T; // undefined if T is: a 204 has no body
  // An intermediary may respond with any body.
  const parsed = (error as Partial<Schemas["ErrorBody"]> | undefined)?.error;
  throw new APIError(response.status, parsed ?? {
    code: "invalid_response",
    message: `Status ${response.status} without an error body.`,
    requestId: "",
  });
}
