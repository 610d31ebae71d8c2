// A reader made of llrpjs: node llrpjs_reader.mjs LLRPJS_FOLDER TAGS_JSON. Prints "ready PORT", then one line per request.
//
// llrpjs parses one message per TCP segment and forgets the rest until the next one comes (its scanner keeps the bytes),
// so whatever it has left over is asked for again here. It refuses headers of version 2 by throwing in its scanner, so
// those are answered before it sees them.
import { createRequire } from "module";
import net from "net";

const [folder, tagsJson] = process.argv.slice(2);
const require = createRequire(folder + "/");
const { LLRPCore, LLRPServer } = require("llrpjs");
const TAGS = JSON.parse(tagsJson);
const PER_REPORT = 3;
const HEADER_BYTES = 10;
const ok = { LLRPStatus: { StatusCode: "M_Success", ErrorDescription: "" } };

const reader = new LLRPServer({ host: "127.0.0.1", port: 0 });
let rospec = null;
let accessspec = null;
const memory = { 2: [0xe280, 0x1160, 0x2000, 0x74d0], 3: [1, 2, 3, 4] }; // TID and user memory of the first tag
let keepalive = null;
let nextId = 1;

const send = (name, data, id = nextId++) => {
  const message = new LLRPCore[name]({ data });
  message.setMessageId(id);
  return reader.send(message);
};

const now = () => BigInt(Date.now()) * 1000n;

const CAPABILITIES = {
  ...ok,
  GeneralDeviceCapabilities: {
    MaxNumberOfAntennaSupported: 2,
    CanSetAntennaProperties: false,
    HasUTCClockCapability: true,
    DeviceManufacturerName: 0,
    ModelName: 7,
    ReaderFirmwareVersion: "llrpjs",
    ReceiveSensitivityTableEntry: { Index: 1, ReceiveSensitivityValue: 0 },
    GPIOCapabilities: { NumGPIs: 0, NumGPOs: 0 },
    PerAntennaAirProtocol: [
      { AntennaID: 1, ProtocolID: ["EPCGlobalClass1Gen2"] },
      { AntennaID: 2, ProtocolID: ["EPCGlobalClass1Gen2"] },
    ],
  },
  LLRPCapabilities: {
    CanDoRFSurvey: false,
    CanReportBufferFillWarning: false,
    SupportsClientRequestOpSpec: false,
    CanDoTagInventoryStateAwareSingulation: false,
    SupportsEventAndReportHolding: true,
    MaxNumPriorityLevelsSupported: 1,
    ClientRequestOpSpecTimeout: 0,
    MaxNumROSpecs: 1,
    MaxNumSpecsPerROSpec: 1,
    MaxNumInventoryParameterSpecsPerAISpec: 1,
    MaxNumAccessSpecs: 1,
    MaxNumOpSpecsPerAccessSpec: 1,
  },
  RegulatoryCapabilities: {
    CountryCode: 276,
    CommunicationsStandard: "ETSI_302_208",
    UHFBandCapabilities: {
      TransmitPowerLevelTableEntry: [
        { Index: 1, TransmitPowerValue: 1000 },
        { Index: 2, TransmitPowerValue: 2000 },
        { Index: 3, TransmitPowerValue: 3000 },
      ],
      FrequencyInformation: { Hopping: false, FixedFrequencyTable: { Frequency: [865700, 866300, 866900, 867500] } },
      C1G2UHFRFModeTable: {
        C1G2UHFRFModeTableEntry: {
          ModeIdentifier: 1,
          DRValue: "DRV_64_3",
          EPCHAGTCConformance: false,
          MValue: "MV_4",
          ForwardLinkModulation: "PR_ASK",
          SpectralMaskIndicator: "DI",
          BDRValue: 250000,
          PIEValue: 2000,
          MinTariValue: 25000,
          MaxTariValue: 25000,
          StepTariValue: 0,
        },
      },
    },
  },
  C1G2LLRPCapabilities: { CanSupportBlockErase: false, CanSupportBlockWrite: false, MaxNumSelectFiltersPerQuery: 1 },
};

const configuration = { hold: false, keepaliveMs: 0 };

const CONFIGURATION = () => ({
  ...ok,
  Identification: { IDType: "MAC_Address", ReaderID: [2, 0, 0, 0, 0, 1] },
  AntennaProperties: [
    { AntennaConnected: true, AntennaID: 1, AntennaGain: 0 },
    { AntennaConnected: true, AntennaID: 2, AntennaGain: 0 },
  ],
  KeepaliveSpec: {
    KeepaliveTriggerType: configuration.keepaliveMs ? "Periodic" : "Null",
    PeriodicTriggerValue: configuration.keepaliveMs,
  },
  EventsAndReports: { HoldEventsAndReportsUponReconnect: configuration.hold },
});

const report = (from) => ({
  TagReportData: TAGS.slice(from, from + PER_REPORT).map((tag) => ({
    EPC_96: { EPC: [...Buffer.from(tag.epc, "hex")] },
    AntennaID: { AntennaID: tag.antenna },
    PeakRSSI: { PeakRSSI: tag.rssi },
    ChannelIndex: { ChannelIndex: tag.channel },
    FirstSeenTimestampUTC: { Microseconds: new Date(tag.first_ms) },
    LastSeenTimestampUTC: { Microseconds: new Date(tag.last_ms) },
    TagSeenCount: { TagCount: tag.count },
  })),
});

const play = async () => {
  for (let from = 0; from < TAGS.length; from += PER_REPORT) await send("RO_ACCESS_REPORT", report(from));
};

const tagData = (tag, more = {}) => ({
  EPC_96: { EPC: [...Buffer.from(tag.epc, "hex")] },
  AntennaID: { AntennaID: tag.antenna },
  PeakRSSI: { PeakRSSI: tag.rssi },
  ...more,
});

// What the first tag answers: its PC word and EPC are compared as the AccessSpec says, bit by bit.
const fits = ({ Pointer, TagMask, TagData }) => {
  const shown = [0, 0, 0x30, 0x00, ...Buffer.from(TAGS[0].epc, "hex")];
  const hex = (value) => (typeof value === "string" ? [...Buffer.from(value, "hex")] : value);
  const mask = hex(TagMask);
  const data = hex(TagData);
  return mask.every((bits, at) => ((shown[Pointer / 8 + at] ^ data[at]) & bits) === 0);
};

const work = async () => {
  const command = accessspec && accessspec.CurrentState === "Active" ? accessspec.AccessCommand : null;
  if (command && fits(command.C1G2TagSpec.C1G2TargetTag)) {
    const { C1G2Read: read, C1G2Write: write } = command;
    let result;
    if (read) {
      const words = memory[read.MB].slice(read.WordPointer, read.WordPointer + read.WordCount);
      const whole = words.length === read.WordCount;
      const outcome = whole ? "Success" : "Nonspecific_Tag_Error";
      result = { C1G2ReadOpSpecResult: { Result: outcome, OpSpecID: read.OpSpecID, ReadData: whole ? words : [] } };
    } else {
      const given = write.WriteData;
      const words = typeof given === "string" ? given.match(/.{4}/g).map((word) => parseInt(word, 16)) : [].concat(given);
      memory[write.MB].splice(write.WordPointer, words.length, ...words);
      result = { C1G2WriteOpSpecResult: { Result: "Success", OpSpecID: write.OpSpecID, NumWordsWritten: words.length } };
    }
    const tag = tagData(TAGS[0], { AccessSpecID: { AccessSpecID: accessspec.AccessSpecID }, ...result });
    accessspec = null;
    await send("RO_ACCESS_REPORT", { TagReportData: [tag] });
  }
  await send("RO_ACCESS_REPORT", { TagReportData: TAGS.slice(0, 3).map((tag) => tagData(tag)) });
  if (rospec) rospec.CurrentState = "Inactive";
};

const ANSWERS = {
  GET_READER_CAPABILITIES: () => CAPABILITIES,
  GET_READER_CONFIG: () => CONFIGURATION(),
  SET_READER_CONFIG: (message) => {
    const data = message.toLLRPData().data;
    if (data.EventsAndReports) configuration.hold = data.EventsAndReports.HoldEventsAndReportsUponReconnect;
    if (data.KeepaliveSpec) {
      configuration.keepaliveMs = Number(data.KeepaliveSpec.PeriodicTriggerValue);
      clearInterval(keepalive);
      if (configuration.keepaliveMs) keepalive = setInterval(() => send("KEEPALIVE", {}), configuration.keepaliveMs);
    }
    return ok;
  },
  DELETE_ACCESSSPEC: () => ((accessspec = null), ok),
  DELETE_ROSPEC: () => ((rospec = null), ok),
  ADD_ROSPEC: (message) => ((rospec = message.toLLRPData().data.ROSpec), ok),
  ENABLE_ROSPEC: () => {
    const isImmediate = rospec.ROBoundarySpec.ROSpecStartTrigger.ROSpecStartTriggerType === "Immediate";
    rospec.CurrentState = isImmediate ? "Active" : "Inactive";
    if (isImmediate) setTimeout(play, 300);
    return ok;
  },
  START_ROSPEC: () => ((rospec.CurrentState = "Active"), setTimeout(work, 100), ok),
  STOP_ROSPEC: () => ((rospec.CurrentState = "Inactive"), ok),
  ADD_ACCESSSPEC: (message) => ((accessspec = message.toLLRPData().data.AccessSpec), ok),
  ENABLE_ACCESSSPEC: () => ((accessspec.CurrentState = "Active"), ok),
  GET_ACCESSSPECS: () => (accessspec ? { ...ok, AccessSpec: accessspec } : ok),
  GET_ROSPECS: () => (rospec ? { ...ok, ROSpec: rospec } : ok),
  CLOSE_CONNECTION: () => ok,
};

reader.on("message", (message) => {
  const name = message.getName();
  console.log(`got ${name}`);
  if (name === "GET_REPORT") send("RO_ACCESS_REPORT", {});
  const answer = ANSWERS[name];
  if (answer) send(`${name}_RESPONSE`, answer(message), message.getMessageId());
});
reader.on("error", (error) => console.error(`error ${error}`));
reader.on("connection", () => {
  const socket = reader._tcp;
  const parse = socket.listeners("data")[0];
  socket.removeListener("data", parse);
  let waiting = Buffer.alloc(0);
  socket.on("data", (data) => {
    waiting = Buffer.concat([waiting, data]);
    while (waiting.length >= HEADER_BYTES && waiting.length >= waiting.readUInt32BE(2)) {
      const message = waiting.subarray(0, waiting.readUInt32BE(2));
      waiting = waiting.subarray(message.length);
      if ((message[0] >> 2) !== 1) {
        const status = { LLRPStatus: { StatusCode: "M_UnsupportedVersion", ErrorDescription: "" } };
        send("ERROR_MESSAGE", status, message.readUInt32BE(6));
      } else {
        parse(Buffer.from(message));
      }
    }
  });
  send("READER_EVENT_NOTIFICATION", {
    ReaderEventNotificationData: {
      UTCTimestamp: { Microseconds: new Date() },
      ConnectionAttemptEvent: { Status: "Success" },
    },
  });
});
reader.on("disconnect", () => clearInterval(keepalive));
reader._server.on("listening", () => console.log(`ready ${reader._server.address().port}`));
reader.listen();
