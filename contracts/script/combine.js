// Gathers the deployable contracts' ABI and bytecode from forge's artifacts into the
// combined-json form that abigen reads, in a fixed order.
'use strict';
const fs = require('fs');
const path = require('path');

const names = [
  'AgentRegistry',
  'AttributionSettlement',
  'ContributorStaking',
  'DatanetPool',
  'DatanetRegistry',
  'DelegateRegistry',
  'DisputeCommittee',
  'EpochDistributor',
  'Escrow',
  'FeeParameters',
  'GOPEN',
  'ModelRegistry',
  'OPEN',
  'OpenGovernor',
  'Timelock',
  'Treasury',
  'ValidatorPool',
  'VestingVault',
  'WorkerStaking',
];
// ERC-5267's eip712Domain() stays out: abigen would declare its result once per contract. Contracts
// give the digest of what they check instead (voucherDigest, bindingDigest, ...).
const contracts = {};
for (const name of names) {
  const file = path.join(__dirname, '..', 'out', name + '.sol', name + '.json');
  const artifact = JSON.parse(fs.readFileSync(file, 'utf8'));
  contracts['src/' + name + '.sol:' + name] = {
    abi: artifact.abi.filter((entry) => entry.name !== 'eip712Domain'),
    bin: artifact.bytecode.object.replace(/^0x/, ''),
    'bin-runtime': artifact.deployedBytecode.object.replace(/^0x/, ''),
  };
}
process.stdout.write(JSON.stringify({ contracts, version: '' }));
