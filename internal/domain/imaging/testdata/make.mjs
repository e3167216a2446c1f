// Generates the pictures of this folder that sharp can write and Pillow cannot, with the sharp of
// bench/sharp:
//
//     make bench/sharp/node_modules && cd internal/domain/imaging/testdata && node make.mjs
import { createRequire } from "node:module";

const sharp = createRequire(import.meta.resolve("../../../../bench/sharp/sharp.js"))("sharp");

await sharp("palette.png").png({ progressive: true, palette: false }).toFile("interlaced.png");
await sharp("palette.png").removeAlpha().toColourspace("rgb16").png().toFile("16-bit.png");

// sharp converts to the profile that it embeds. The stored value for Display P3 is 187, 106, 63.
const colour = (r, g, b) =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: { r, g, b } } });
await colour(200, 100, 50).withIccProfile("p3").jpeg({ quality: 92 }).toFile("display-p3.jpg");
await colour(200, 100, 50).withIccProfile("p3").png().toFile("display-p3.png");
await colour(200, 100, 50).withIccProfile("srgb").jpeg({ quality: 92 }).toFile("srgb.jpg");
