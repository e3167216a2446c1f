// Generates thumbnails with libvips, for the test and the benchmark of thumbnails. A request is a
// line of JSON on the standard input, {picture, widths, folder}, and the response a line on the
// standard output, {milliseconds}. It uses one thread and no cache. With a folder, it writes the
// thumbnails there.
//
// {picture, jpeg, progressive} writes the picture to the file jpeg.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);

async function respond({ picture, widths, folder, jpeg, progressive }) {
  if (jpeg) {
    await sharp(picture).jpeg({ quality: 90, progressive }).toFile(jpeg);
    return {};
  }
  const bytes = readFileSync(picture);
  const began = performance.now();
  for (const width of widths) {
    const thumbnail = await sharp(bytes)
      .autoOrient()
      .flatten({ background: "white" })
      .resize(width, null, { withoutEnlargement: true })
      .jpeg({ quality: 85 }) // the same as ours
      .toBuffer();
    if (folder) {
      writeFileSync(join(folder, `${width}.jpg`), thumbnail);
    }
  }
  return { milliseconds: performance.now() - began };
}

for await (const line of createInterface({ input: process.stdin })) {
  const response = await respond(JSON.parse(line)).catch((error) => ({ error: String(error) }));
  process.stdout.write(JSON.stringify(response) + "\n");
}
