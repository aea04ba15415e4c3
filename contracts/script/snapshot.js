// Writes what others depend on, one file a contract: the functions, events and errors with their selectors, and the
// storage layout. A change shows in review as a change of snapshots/.
'use strict';
const fs = require('fs');
const path = require('path');
const { keccak256 } = require('js-sha3');

const root = path.join(__dirname, '..');
const names = fs
  .readdirSync(path.join(root, 'src'))
  .map((file) => path.basename(file, '.sol'))
  .filter((name) => fs.existsSync(path.join(root, 'out', name + '.sol', name + '.json')))
  .sort();

const type = (p) => (p.type.startsWith('tuple') ? '(' + p.components.map(type).join(',') + ')' + p.type.slice(5) : p.type);

function entry(e) {
  const signature = e.name + '(' + e.inputs.map(type).join(',') + ')';
  const hash = keccak256(signature);
  switch (e.type) {
    case 'event':
      return ['event', signature + ' indexed ' + e.inputs.filter((i) => i.indexed).length, '0x' + hash];
    case 'error':
      return ['error', signature, '0x' + hash.slice(0, 8)];
    default:
      return [e.stateMutability, signature + ' returns (' + e.outputs.map(type).join(',') + ')', '0x' + hash.slice(0, 8)];
  }
}

const folder = path.join(root, 'snapshots');
fs.rmSync(folder, { recursive: true, force: true });
fs.mkdirSync(folder);
for (const name of names) {
  const artifact = JSON.parse(fs.readFileSync(path.join(root, 'out', name + '.sol', name + '.json'), 'utf8'));
  if (artifact.bytecode.object.length <= 2 || artifact.abi.length === 0) continue; // interfaces and internal libraries
  const lines = artifact.abi
    .filter((e) => e.name)
    .map(entry)
    .map(([kind, signature, hash]) => kind.padEnd(11) + signature + ' ' + hash)
    .sort();
  // Type ids carry numbers of the compiler's syntax tree, which change with any edit.
  const plain = (t) => t.replace(/\)\d+/g, ')');
  for (const s of artifact.storageLayout.storage) {
    lines.push('slot ' + s.slot + '+' + s.offset + ' ' + s.label + ' ' + plain(s.type));
  }
  fs.writeFileSync(path.join(folder, name + '.txt'), lines.join('\n') + '\n');
}
