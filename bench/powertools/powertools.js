// Handles batches of a DynamoDB stream with Powertools for AWS Lambda, for the test and the
// benchmark of the welcome function. A request is a line of JSON on the standard input, {payload,
// processor, times}, and the response a line on the standard output, {milliseconds, sent,
// response}. payload is the file of an event, processor is "sync" or "async". It is handled that
// many times, from its bytes to the bytes of the response; response is the last one, milliseconds
// the time per batch, sent the number of records per batch.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import {
  BatchProcessor,
  BatchProcessorSync,
  EventType,
  processPartialResponse,
  processPartialResponseSync,
} from "@aws-lambda-powertools/batch";

const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
let sent = 0;

// send is the same fake as fakeSender in Go.
function send({ address, kind }) {
  sent++;
  if (address.startsWith("later")) {
    throw new Error(`temporary failure: ${kind}`);
  }
}

function take({ eventName, dynamodb: { Keys, NewImage } }) {
  if (eventName !== "INSERT") {
    return;
  }
  const key = { address: Keys.Address.S, kind: Keys.Kind.S, id: NewImage.ID.S };
  if (!key.address || (key.kind !== "pending" && key.kind !== "subscription") || !id.test(key.id)) {
    throw new Error("not a subscription");
  }
  send(key);
}

const handlers = {
  sync(event) {
    const processor = new BatchProcessorSync(EventType.DynamoDBStreams);
    return processPartialResponseSync(event, take, processor);
  },
  async async(event) {
    const processor = new BatchProcessor(EventType.DynamoDBStreams);
    return processPartialResponse(event, async (record) => take(record), processor, {
      processInParallel: false,
    });
  },
};

const payloads = new Map();

async function respond({ payload, processor, times }) {
  if (!payloads.has(payload)) {
    payloads.set(payload, readFileSync(payload));
  }
  const bytes = payloads.get(payload);
  sent = 0;
  let response;
  const began = performance.now();
  for (let i = 0; i < times; i++) {
    const event = JSON.parse(bytes.toString());
    response = Buffer.from(JSON.stringify(await handlers[processor](event)));
  }
  return {
    milliseconds: (performance.now() - began) / times,
    sent: sent / times,
    response: JSON.parse(response.toString()),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const response = await respond(JSON.parse(line)).catch((error) => ({ error: String(error) }));
  process.stdout.write(JSON.stringify(response) + "\n");
}
