// Asks epc-tds: node ask.cjs FOLDER, a JSON document on stdin, {"read": [hex, ...], "write": [tag URI, ...]}. What it
// makes of each comes back in the same places, as {"id", "tag"} or as hexadecimal, or {"error"} where it throws.
const path = require("path");
const loaded = require(path.join(process.argv[2], "node_modules", "epc-tds"));
const tds = loaded.default ?? loaded;

const tried = (work) => {
  try {
    return work();
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
};

const read = (hex) =>
  tried(() => {
    const epc = tds.valueOf(hex);
    return { id: epc.toIdURI(), tag: epc.toTagURI() };
  });

const write = (uri) => tried(() => tds.fromTagURI(uri).toHexString());

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => {
  const asked = JSON.parse(text);
  process.stdout.write(JSON.stringify({ read: asked.read.map(read), write: asked.write.map(write) }));
});
