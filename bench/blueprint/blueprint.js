// Transforms an event of Firehose as AWS's blueprint for Node.js does, record by record with Buffer
// and JSON, for the test and the benchmark of the transform. A request is a line of JSON on the
// standard input, {payload, times}, and the response a line on the standard output, {milliseconds,
// response}. payload is the file of an event. It is handled that many times, from its bytes to the
// bytes of the response; response is the last one, milliseconds the time per event.
//
// It does the same as the Go function, except for what JSON.parse does not report: it accepts
// duplicate names in an object, and any depth.
"use strict";

const { isUtf8 } = require("node:buffer");
const { readFileSync } = require("node:fs");
const { createInterface } = require("node:readline");

// As in internal/domain/telemetry.
const types = {
  measurement: { source: "device", required: [] },
  boot: { source: "device", required: ["firmware"] },
  keep_alive: { source: "device", required: [], discard: true },
  app_open: { source: "client", required: ["client"] },
  post_view: { source: "client", required: ["client", "post"] },
  sign_up: { source: "client", required: ["client"] },
  comment: { source: "client", required: ["client", "post"] },
  scroll: { source: "client", required: ["client"], discard: true },
};
const texts = { device: ["firmware"], client: ["client", "session", "post"] };
const numbers = { device: ["temperature", "battery"], client: [] };
const known = {
  device: new Set(["id", "type", "at", ...texts.device, ...numbers.device]),
  client: new Set(["id", "type", "at", ...texts.client, ...numbers.client]),
};
const day = 24 * 60 * 60 * 1000;
const visible = /^[!-~]{1,64}$/;
const thing = /^[a-zA-Z0-9:_-]{1,128}$/;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const timestamp = (ms) => new Date(ms).toISOString().replace("T", " ").slice(0, -1);

function parse(base64) {
  const bytes = Buffer.from(base64, "base64");
  if (!isUtf8(bytes)) {
    throw new Error("not UTF-8");
  }
  return JSON.parse(bytes.toString("utf8"));
}

function timestampOf(at, source, receivedAt) {
  if (at === undefined && source === "device") {
    return receivedAt;
  }
  let ms = at;
  if (typeof at === "string" && rfc3339.test(at)) {
    ms = Date.parse(at);
  }
  if (!Number.isInteger(ms) || ms < receivedAt - 30 * day || ms > receivedAt + day) {
    throw new Error("at");
  }
  return ms;
}

// row returns the record's row, type and day, or undefined if its type is discarded.
function row(record) {
  const message = parse(record.data);
  const { topic, received_at: receivedAt } = message;
  if (!Number.isInteger(receivedAt) || typeof message.data !== "string") {
    throw new Error("not a message");
  }
  const source = topic ? "device" : "client";
  const device = topic?.split("/").at(-2);
  if (topic && !thing.test(device)) {
    throw new Error("topic");
  }
  const payload = parse(message.data);
  if (payload === null || typeof payload !== "object" || Array.isArray(payload)) {
    throw new Error("not an object");
  }
  const fields = {};
  let extra;
  for (const [name, value] of Object.entries(payload)) {
    if (!known[source].has(name)) {
      extra ??= {};
      extra[name] = value;
    } else if (value !== null && value !== "") {
      fields[name] = value;
    }
  }
  const type = types[fields.type];
  if (type?.source !== source) {
    throw new Error("type");
  }
  const at = timestampOf(fields.at, source, receivedAt);
  if (typeof fields.id !== "string" || !visible.test(fields.id)) {
    throw new Error("id");
  }
  for (const name of texts[source]) {
    const text = fields[name];
    if (text !== undefined && (typeof text !== "string" || Buffer.byteLength(text) > 256)) {
      throw new Error(name);
    }
  }
  for (const name of numbers[source]) {
    if (fields[name] !== undefined && !Number.isFinite(fields[name])) {
      throw new Error(name);
    }
  }
  for (const name of type.required) {
    if (fields[name] === undefined) {
      throw new Error(name);
    }
  }
  if (extra !== undefined) {
    extra = JSON.stringify(extra);
    if (Buffer.byteLength(extra) > 65536) {
      throw new Error("extra");
    }
  }
  if (type.discard) {
    return undefined;
  }
  const written = timestamp(at);
  return {
    type: fields.type,
    day: written.slice(0, 10),
    row: {
      id: fields.id,
      at: written,
      received_at: timestamp(receivedAt),
      ingested_at: timestamp(record.kinesisRecordMetadata.approximateArrivalTimestamp),
      device,
      client: fields.client,
      session: fields.session,
      post: fields.post,
      firmware: fields.firmware,
      temperature: fields.temperature,
      battery: fields.battery,
      extra,
    },
  };
}

function handler(event) {
  const records = event.records.map((record) => {
    try {
      const made = row(record);
      if (made === undefined) {
        return { recordId: record.recordId, result: "Dropped" };
      }
      return {
        recordId: record.recordId,
        result: "Ok",
        data: Buffer.from(JSON.stringify(made.row), "utf8").toString("base64"),
        metadata: { partitionKeys: { type: made.type, day: made.day } },
      };
    } catch {
      return { recordId: record.recordId, result: "ProcessingFailed" };
    }
  });
  return { records };
}

const payloads = new Map();

function respond({ payload, times }) {
  if (!payloads.has(payload)) {
    payloads.set(payload, readFileSync(payload));
  }
  const bytes = payloads.get(payload);
  let response;
  const began = performance.now();
  for (let i = 0; i < times; i++) {
    response = Buffer.from(JSON.stringify(handler(JSON.parse(bytes.toString()))));
  }
  return {
    milliseconds: (performance.now() - began) / times,
    response: JSON.parse(response.toString()),
  };
}

createInterface({ input: process.stdin }).on("line", (line) => {
  let response;
  try {
    response = respond(JSON.parse(line));
  } catch (error) {
    response = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(response) + "\n");
});
