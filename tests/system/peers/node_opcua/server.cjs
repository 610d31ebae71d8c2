// An OPC UA server of another maker with one machine, told on its standard input what the machine does.
// Usage: node server.cjs FOLDER_OF_NODE_MODULES PORT FOLDER_FOR_CERTIFICATES
"use strict";
const path = require("node:path");
const readline = require("node:readline");
const [folder, port, pki] = process.argv.slice(2);
const opcua = require(path.join(folder, "node_modules", "node-opcua"));
const { DataType, MessageSecurityMode, OPCUACertificateManager, OPCUAServer, SecurityPolicy, StatusCodes, Variant } = opcua;

const kinds = {
    State: DataType.Int32,
    Speed: DataType.Float,
    SpeedSet: DataType.Double,
    GoodLength: DataType.UInt32,
    StopReason: DataType.String,
    RemoteEnabled: DataType.Boolean,
};
const values = { State: 4, Speed: 0, SpeedSet: 600, GoodLength: 0, StopReason: "", RemoteEnabled: false };

async function main() {
    const certificates = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
    await certificates.initialize();
    const server = new OPCUAServer({
        port: Number(port),
        resourcePath: "/mill",
        serverInfo: { applicationUri: "urn:peer:mill" },
        buildInfo: { productName: "Peer mill", softwareVersion: "1.0", manufacturerName: "node-opcua" },
        serverCertificateManager: certificates,
        securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
        securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes256_Sha256_RsaPss],
        allowAnonymous: true,
        userManager: { isValidUser: (user, password) => user === "anna" && password === "spindle" },
    });
    await server.initialize();
    const space = server.engine.addressSpace;
    const names = space.registerNamespace("urn:peer:warper");
    const machine = names.addObject({ organizedBy: space.rootFolder.objects, browseName: "Warper", nodeId: "s=Warper" });
    const nodes = {};
    for (const [name, dataType] of Object.entries(kinds)) {
        nodes[name] = names.addVariable({
            componentOf: machine,
            browseName: name,
            nodeId: `s=${name}`,
            dataType,
            accessLevel: name === "SpeedSet" ? "CurrentRead | CurrentWrite" : "CurrentRead",
            userAccessLevel: name === "SpeedSet" ? "CurrentRead | CurrentWrite" : "CurrentRead",
        });
        nodes[name].setValueFromSource(new Variant({ dataType, value: values[name] }));
    }
    const stop = names.addMethod(machine, { browseName: "Stop", nodeId: "s=Stop" });
    stop.bindMethod((_inputs, _context, done) => {
        nodes.State.setValueFromSource(new Variant({ dataType: DataType.Int32, value: 2 }));
        done(null, { statusCode: StatusCodes.Good });
    });
    await server.start();
    console.log(JSON.stringify({ ready: true }));
    for await (const line of readline.createInterface({ input: process.stdin })) {
        for (const [name, value] of Object.entries(JSON.parse(line))) {
            const status = value === null ? StatusCodes.BadNoCommunication : StatusCodes.Good;
            const held = value === null ? values[name] : value;
            nodes[name].setValueFromSource(new Variant({ dataType: kinds[name], value: held }), status);
        }
        console.log(JSON.stringify({ SpeedSet: nodes.SpeedSet.readValue().value.value }));
    }
    await server.shutdown(0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
