// SPDX-License-Identifier: Apache-2.0
// Compiles solidity/*.sol with npm's solc and writes compiled/<name>.abi and
// .bin. Called by generate.sh with the folder of this file as argument.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const dir = process.argv[2];
const sources = {};
for (const file of fs.readdirSync(path.join(dir, "solidity")).sort()) {
  sources[file] = { content: fs.readFileSync(path.join(dir, "solidity", file), "utf8") };
}
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      settings: {
        evmVersion: "paris",
        viaIR: false,
        optimizer: { enabled: true, runs: 200 },
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
      },
    }),
  ),
);
for (const e of output.errors ?? []) {
  console.error(e.formattedMessage);
}
if ((output.errors ?? []).length > 0) process.exit(1);
for (const file of Object.keys(sources)) {
  const name = path.basename(file, ".sol");
  const c = output.contracts[file][name];
  fs.writeFileSync(path.join(dir, "compiled", name + ".abi"), JSON.stringify(c.abi, null, 1) + "\n");
  fs.writeFileSync(path.join(dir, "compiled", name + ".bin"), c.evm.bytecode.object + "\n");
}
