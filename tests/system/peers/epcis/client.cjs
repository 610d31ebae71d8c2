// Answers what epcis2.js makes of EPCIS documents: faults by GS1's JSON schema, and hashes.
// A hash is null where the peer is known to be wrong: it takes a name for a date (it asks Date.parse, for which
// `…/thing/SEAL-1` is one), or it has to convert an SSCC, the extension digit of which it puts in the wrong place.
// The first argument is the folder of the package.
const fs = require("fs");
const peer = require(`${process.argv[2]}/dist/epcis2.node.js`);

const TIMES = ["eventTime", "time"];
const namespaces = (document) => Object.assign({}, ...[document["@context"]].flat().filter((each) => typeof each === "object"));
const texts = (value, key) => {
    if (typeof value === "string") return TIMES.includes(key) ? [] : [value];
    if (value === null || typeof value !== "object") return [];
    return Object.entries(value).flatMap(([name, each]) => texts(each, Array.isArray(value) ? key : name));
};
const takenForDate = (text) => Number.isNaN(Number(text)) && !Number.isNaN(Date.parse(text)) && text.length > 17;

const answers = JSON.parse(fs.readFileSync(0, "utf8")).map((document) => {
    const { success, errors } = peer.validateEpcisDocument(document, false);
    if (!success) return { errors, hashes: [] };
    const hashes = document.epcisBody.eventList.map((event) =>
        texts(event).some((text) => takenForDate(text) || text.startsWith("urn:epc:id:sscc:")) ? null : peer.eventToHashedId(event, namespaces(document)),
    );
    return { errors: [], hashes };
});
process.stdout.write(JSON.stringify(answers));
