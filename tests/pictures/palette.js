// Makes a PNG of 256 colours of any picture: documentation stays small, and text stays sharp.
//
//     signature, then chunks: length (4) | type (4) | data | crc (4), all big-endian
//     IHDR size and depth; PLTE three bytes a colour; IDAT deflated rows, each after its filter (0); IEND
//
// Source: PNG specification, third edition, sections 5, 9 and 11.
const MOST = 256;
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function chunk(type, data) {
  const made = new Uint8Array(12 + data.length);
  const view = new DataView(made.buffer);
  view.setUint32(0, data.length);
  for (let n = 0; n < 4; n += 1) made[4 + n] = type.charCodeAt(n);
  made.set(data, 8);
  let crc = 0xffffffff;
  for (const byte of made.subarray(4, 8 + data.length)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc >>> 0);
  return made;
}

/** The colours that are used most, and for each box of like colours the number of the nearest of them. */
function palette(pixels) {
  const boxes = new Map();
  for (let at = 0; at < pixels.length; at += 4) {
    const key = ((pixels[at] >> 2) << 12) | ((pixels[at + 1] >> 2) << 6) | (pixels[at + 2] >> 2);
    const box = boxes.get(key);
    if (box) box.count += 1;
    else boxes.set(key, { count: 1, rgb: [pixels[at], pixels[at + 1], pixels[at + 2]] });
  }
  const kept = [...boxes.values()].sort((a, b) => b.count - a.count).slice(0, MOST).map((box) => box.rgb);
  const nearest = new Map();
  for (const [key, { rgb }] of boxes) {
    let best = 0;
    let least = Infinity;
    kept.forEach((other, n) => {
      const far = (rgb[0] - other[0]) ** 2 + (rgb[1] - other[1]) ** 2 + (rgb[2] - other[2]) ** 2;
      if (far < least) [best, least] = [n, far];
    });
    nearest.set(key, best);
  }
  return { kept, nearest };
}

/** A picture as base64, with a palette. */
window.withPalette = async (picture) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const { kept, nearest } = palette(pixels);
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0, at = 0, to = 0; y < height; y += 1) {
    to += 1; // the filter of the row: none
    for (let x = 0; x < width; x += 1, at += 4, to += 1) {
      rows[to] = nearest.get(((pixels[at] >> 2) << 12) | ((pixels[at + 1] >> 2) << 6) | (pixels[at + 2] >> 2));
    }
  }
  const deflated = new Uint8Array(await new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer());
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 3, 0, 0, 0], 8); // 8 bits, palette
  const parts = [new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", head), chunk("PLTE", new Uint8Array(kept.flat())), chunk("IDAT", deflated), chunk("IEND", new Uint8Array())];
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
};
