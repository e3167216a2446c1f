// Makes thumbnails with libvips, for the test and the benchmark beside it: a request is a line of JSON on the standard input,
// {picture, widths, folder}, and so is its answer, {milliseconds}. It takes one thread and caches nothing. With a folder,
// thumbnails are written there.
//
// {picture, jpeg, progressive} writes the picture to the file jpeg.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);

async function answer({ picture, widths, folder, jpeg, progressive }) {
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
      .jpeg({ quality: 85 }) // as ours
      .toBuffer();
    if (folder) {
      writeFileSync(join(folder, `${width}.jpg`), thumbnail);
    }
  }
  return { milliseconds: performance.now() - began };
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(JSON.parse(line)).catch((error) => ({ error: String(error) }));
  process.stdout.write(JSON.stringify(said) + "\n");
}
