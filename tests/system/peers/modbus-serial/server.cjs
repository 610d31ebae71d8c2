// A Modbus TCP server of the npm package modbus-serial. Its registers come as JSON on stdin, and are encoded here.
"use strict";
const { ServerTCP } = require("modbus-serial");

const WRITERS = {
  u16: (buffer, number) => buffer.writeUInt16BE(Number(number)),
  i16: (buffer, number) => buffer.writeInt16BE(Number(number)),
  u32: (buffer, number) => buffer.writeUInt32BE(Number(number)),
  i32: (buffer, number) => buffer.writeInt32BE(Number(number)),
  u64: (buffer, number) => buffer.writeBigUInt64BE(BigInt(number)),
  i64: (buffer, number) => buffer.writeBigInt64BE(BigInt(number)),
  f32: (buffer, number) => buffer.writeFloatBE(Number(number)),
};
const SIZES = { u16: 2, i16: 2, u32: 4, i32: 4, u64: 8, i64: 8, f32: 4 };

const registers = new Map();
function fill(entries) {
  for (const { address, type, number } of entries) {
    const buffer = Buffer.alloc(SIZES[type]);
    WRITERS[type](buffer, number);
    for (let at = 0; at < buffer.length; at += 2) registers.set(address + at / 2, buffer.readUInt16BE(at));
  }
}

function read(address) {
  if (!registers.has(address)) throw { modbusErrorCode: 2, msg: "" };
  return registers.get(address);
}

let text = "";
process.stdin.on("data", (piece) => {
  text += piece;
  if (!text.includes("\n")) return;
  fill(JSON.parse(text));
  text = "";
  const server = new ServerTCP(
    { getHoldingRegister: read, getInputRegister: read },
    { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 1 },
  );
  server.on("initialized", () => console.log("ready"));
  server.on("socketError", () => {});
});
process.stdin.on("end", () => process.exit(0));
