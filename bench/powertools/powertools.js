// Handles batches of a DynamoDB stream by Powertools for AWS Lambda, for the test and the benchmark beside it: a request is a
// line of JSON on the standard input, {payload, processor, times}, and so is its answer, {milliseconds, answer}. payload is
// the file of an event, processor says how: "sync" or "async". It is handled so many times, from its bytes to the bytes of
// the answer, which is the last one's; the milliseconds are one batch's.
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
let told = 0;

// send is the same fake as the one in Go.
function send({ address, kind }) {
  told++;
  if (address.startsWith("later")) {
    throw new Error(`try again later: ${kind}`);
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
    return processPartialResponseSync(event, take, new BatchProcessorSync(EventType.DynamoDBStreams));
  },
  async async(event) {
    const processor = new BatchProcessor(EventType.DynamoDBStreams);
    return processPartialResponse(event, async (record) => take(record), processor, { processInParallel: false });
  },
};

const payloads = new Map();

async function answer({ payload, processor, times }) {
  if (!payloads.has(payload)) {
    payloads.set(payload, readFileSync(payload));
  }
  const bytes = payloads.get(payload);
  told = 0;
  let said;
  const began = performance.now();
  for (let i = 0; i < times; i++) {
    const event = JSON.parse(bytes.toString());
    said = Buffer.from(JSON.stringify(await handlers[processor](event)));
  }
  return { milliseconds: (performance.now() - began) / times, told: told / times, answer: JSON.parse(said.toString()) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(JSON.parse(line)).catch((error) => ({ error: String(error) }));
  process.stdout.write(JSON.stringify(said) + "\n");
}
