// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {FeeParts, FeeSplitter} from "../src/FeeSplitter.sol";
import {MerkleSum} from "../src/MerkleSum.sol";
import {ProofNode, Royalty} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {StandardTree} from "./support/StandardTree.sol";
import {Tree} from "./support/Tree.sol";

/// @notice The vectors that Go's `protocol/payout` is held to, read from the same files.
contract GoldenTest is Fixture {
    string private constant FOLDER = "../protocol/payout/testdata/";

    function setUp() public override {}

    // ---- the split ----

    struct Sums {
        uint256 platform;
        uint256 worker;
        uint256 agent;
        uint256 owner;
        uint256 datanet;
        uint256 stakers;
        uint256 contributors;
        uint256 pool;
    }

    function test_Split_Golden_Succeeds() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "splits.json"));
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count > 0);
        for (uint256 i = 0; i < count; ++i) {
            string memory at = string.concat(".cases[", vm.toString(i), "]");
            string memory name = vm.parseJsonString(json, string.concat(at, ".name"));
            FeeParts memory got = FeeSplitter.split(
                _number(json, at, ".compute"),
                _number(json, at, ".access"),
                _number(json, at, ".markup"),
                sharesIn(json, at)
            );
            Sums memory want = _sums(json, at);
            vm.assertEq(got.platform, want.platform, string.concat(name, ": platform"));
            vm.assertEq(got.worker, want.worker, string.concat(name, ": worker"));
            vm.assertEq(got.agent, want.agent, string.concat(name, ": agent"));
            vm.assertEq(got.owner, want.owner, string.concat(name, ": owner"));
            // Without any stake, and for mass under the threshold, the public pool is paid.
            vm.assertEq(
                got.stakers + got.contributors,
                want.stakers + want.contributors + want.pool,
                string.concat(name, ": stakers and contributors")
            );
            if (want.stakers != 0) {
                vm.assertEq(got.stakers, want.stakers, string.concat(name, ": stakers"));
            }
            _checkContributors(json, at, name, got);
        }
    }

    /// The contributors' part by weight, pool first: the same apportionment, record by record.
    function _checkContributors(string memory json, string memory at, string memory name, FeeParts memory got)
        private
        pure
    {
        uint256[] memory weights = vm.parseJsonUintArray(json, string.concat(at, ".weights"));
        bytes32[] memory records = vm.parseJsonBytes32Array(json, string.concat(at, ".records"));
        _sort(records, weights);
        uint256[] memory all = new uint256[](weights.length + 1);
        all[0] = vm.parseJsonUint(json, string.concat(at, ".pool_weight"));
        for (uint256 i = 0; i < weights.length; ++i) {
            all[i + 1] = weights[i];
        }
        uint256[] memory parts = FeeSplitter.apportion(got.contributors, all);
        bytes32[] memory outRecords = vm.parseJsonBytes32Array(json, string.concat(at, ".out_records"));
        string[] memory outAmounts = vm.parseJsonStringArray(json, string.concat(at, ".out_amounts"));
        uint256 next = 0;
        for (uint256 i = 0; i < records.length; ++i) {
            if (parts[i + 1] == 0) continue;
            while (outRecords[next] == 0) ++next;
            vm.assertEq(outRecords[next], records[i], string.concat(name, ": record"));
            vm.assertEq(_parse(outAmounts[next]), parts[i + 1], string.concat(name, ": record's amount"));
            ++next;
        }
    }

    function _sums(string memory json, string memory at) private pure returns (Sums memory s) {
        string[] memory roles = vm.parseJsonStringArray(json, string.concat(at, ".out_roles"));
        string[] memory amounts = vm.parseJsonStringArray(json, string.concat(at, ".out_amounts"));
        for (uint256 i = 0; i < roles.length; ++i) {
            bytes32 role = keccak256(bytes(roles[i]));
            uint256 amount = _parse(amounts[i]);
            if (role == keccak256("platform")) s.platform += amount;
            else if (role == keccak256("worker")) s.worker += amount;
            else if (role == keccak256("agent")) s.agent += amount;
            else if (role == keccak256("owner")) s.owner += amount;
            else if (role == keccak256("datanet")) s.datanet += amount;
            else if (role == keccak256("staker")) s.stakers += amount;
            else if (role == keccak256("contributor")) s.contributors += amount;
            else if (role == keccak256("pool")) s.pool += amount;
            else vm.assertTrue(false, roles[i]);
        }
    }

    // ---- retrieved datanets ----

    /// Each datanet's price is divided as an access fee by itself, its owner in the place of the model's.
    function test_Retrieval_Golden_Succeeds() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "retrieval.json"));
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count > 0);
        for (uint256 i = 0; i < count; ++i) {
            string memory at = string.concat(".cases[", vm.toString(i), "]");
            string memory name = vm.parseJsonString(json, string.concat(at, ".name"));
            FeeParts memory got = FeeSplitter.split(
                _number(json, at, ".compute"),
                _number(json, at, ".access"),
                _number(json, at, ".markup"),
                sharesIn(json, at)
            );
            uint256 datanets = vm.parseJsonUint(json, string.concat(at, ".datanets"));
            uint256 readers = 0;
            for (uint256 k = 0; k < datanets; ++k) {
                string memory entry = string.concat(at, ".retrieved[", vm.toString(k), "]");
                FeeParts memory one = FeeSplitter.split(0, _number(json, entry, ".price"), 0, sharesIn(json, at));
                got.platform += one.platform;
                got.stakers += one.stakers;
                got.contributors += one.contributors;
                readers += one.owner;
            }
            Sums memory want = _sums(json, at);
            vm.assertEq(got.platform, want.platform, string.concat(name, ": platform"));
            vm.assertEq(got.worker, want.worker, string.concat(name, ": worker"));
            vm.assertEq(got.agent, want.agent, string.concat(name, ": agent"));
            vm.assertEq(got.owner, want.owner, string.concat(name, ": owner"));
            vm.assertEq(readers, want.datanet, string.concat(name, ": datanets"));
            vm.assertEq(
                got.stakers + got.contributors,
                want.stakers + want.contributors + want.pool,
                string.concat(name, ": stakers and contributors")
            );
        }
    }

    // ---- royalties ----

    function test_Royalties_Golden_Succeeds() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "royalties.json"));
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count > 0);
        for (uint256 i = 0; i < count; ++i) {
            string memory at = string.concat(".cases[", vm.toString(i), "]");
            string memory name = vm.parseJsonString(json, string.concat(at, ".name"));
            FeeParts memory parts =
                FeeSplitter.split(_number(json, at, ".compute"), _number(json, at, ".access"), 0, sharesIn(json, at));
            vm.assertEq(parts.owner, _number(json, at, ".out_before"), string.concat(name, ": before"));
            uint256[] memory got = FeeSplitter.royalties(parts.owner, _lineage(json, at));
            vm.assertEq(got[0], _number(json, at, ".out_owner"), string.concat(name, ": owner"));
            uint256[] memory want = _numbers(json, string.concat(at, ".out_amounts"));
            vm.assertEq(got.length, want.length + 1, string.concat(name, ": entries"));
            for (uint256 k = 0; k < want.length; ++k) {
                vm.assertEq(got[k + 1], want[k], string.concat(name, ": entry"));
            }
        }
    }

    function _lineage(string memory json, string memory at) private pure returns (Royalty[] memory list) {
        address[] memory accounts = vm.parseJsonAddressArray(json, string.concat(at, ".accounts"));
        uint256[] memory from = vm.parseJsonUintArray(json, string.concat(at, ".from"));
        uint256[] memory bps = vm.parseJsonUintArray(json, string.concat(at, ".bps"));
        list = new Royalty[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            list[i] = Royalty(bytes32(i), accounts[i], uint16(from[i]), uint16(bps[i]));
        }
    }

    // ---- the tree ----

    function test_MerkleSum_Golden_Succeeds() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "merkle.json"));
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count > 0);
        for (uint256 i = 0; i < count; ++i) {
            _checkTree(json, string.concat(".cases[", vm.toString(i), "]"));
        }
    }

    function _checkTree(string memory json, string memory at) private view {
        string memory name = vm.parseJsonString(json, string.concat(at, ".name"));
        address[] memory accounts = vm.parseJsonAddressArray(json, string.concat(at, ".accounts"));
        uint256[] memory amounts = _numbers(json, string.concat(at, ".amounts"));
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(at, ".leaves"));
        ProofNode memory top =
            ProofNode(vm.parseJsonBytes32(json, string.concat(at, ".root")), _number(json, at, ".total"));
        ProofNode[] memory level = Tree.leaves(accounts, amounts);
        vm.assertEq(Tree.root(level).hash, top.hash, string.concat(name, ": root"));
        vm.assertEq(Tree.root(level).sum, top.sum, string.concat(name, ": total"));
        for (uint256 i = 0; i < leaves.length; ++i) {
            vm.assertEq(level[i].hash, leaves[i], string.concat(name, ": leaf"));
            ProofNode[] memory proof = _proof(json, string.concat(at, ".proofs[", vm.toString(i), "]"));
            vm.assertTrue(
                this.check(top, leaves.length, i, accounts[i], amounts[i], proof), string.concat(name, ": proof")
            );
        }
    }

    function _proof(string memory json, string memory at) private pure returns (ProofNode[] memory proof) {
        bytes32[] memory hashes = vm.parseJsonBytes32Array(json, string.concat(at, ".hashes"));
        uint256[] memory sums = _numbers(json, string.concat(at, ".sums"));
        proof = new ProofNode[](hashes.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            proof[i] = ProofNode(hashes[i], sums[i]);
        }
    }

    function check(
        ProofNode memory top,
        uint256 count,
        uint256 index,
        address account,
        uint256 amount,
        ProofNode[] calldata proof
    ) external pure returns (bool) {
        return MerkleSum.verify(top.hash, top.sum, count, index, account, amount, proof);
    }

    // ---- the cumulative tree ----

    function test_CumulativeTree_Golden_Succeeds() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "cumulative.json"));
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count > 0);
        for (uint256 i = 0; i < count; ++i) {
            _checkCumulative(json, string.concat(".cases[", vm.toString(i), "]"));
        }
    }

    /// Root and leaves as the tests' builder makes them; proofs as the distributor checks them.
    function _checkCumulative(string memory json, string memory at) private view {
        string memory name = vm.parseJsonString(json, string.concat(at, ".name"));
        address[] memory accounts = vm.parseJsonAddressArray(json, string.concat(at, ".accounts"));
        uint256[] memory amounts = _numbers(json, string.concat(at, ".amounts"));
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, string.concat(at, ".leaves"));
        bytes32 root = vm.parseJsonBytes32(json, string.concat(at, ".root"));
        vm.assertEq(StandardTree.build(accounts, amounts)[0], root, string.concat(name, ": root"));
        uint256 sum = 0;
        for (uint256 i = 0; i < leaves.length; ++i) {
            vm.assertEq(StandardTree.leaf(accounts[i], amounts[i]), leaves[i], string.concat(name, ": leaf"));
            string memory key = string.concat(at, ".proofs[", vm.toString(i), "].hashes");
            bytes32[] memory proof = vm.parseJsonBytes32Array(json, key);
            vm.assertTrue(this.checkStandard(root, leaves[i], proof), string.concat(name, ": proof"));
            sum += amounts[i];
        }
        vm.assertEq(sum, _number(json, at, ".total"), string.concat(name, ": total"));
    }

    function checkStandard(bytes32 root, bytes32 leaf, bytes32[] calldata proof) external pure returns (bool) {
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }

    // ---- reading ----

    /// Amounts are decimal strings; read digit by digit, so that no JSON number loses precision.
    function _parse(string memory text) private pure returns (uint256 n) {
        bytes memory b = bytes(text);
        vm.assertTrue(b.length != 0);
        for (uint256 i = 0; i < b.length; ++i) {
            n = n * 10 + (uint8(b[i]) - 48);
        }
    }

    function _number(string memory json, string memory at, string memory key) private pure returns (uint256) {
        return _parse(vm.parseJsonString(json, string.concat(at, key)));
    }

    function _numbers(string memory json, string memory key) private pure returns (uint256[] memory numbers) {
        string[] memory texts = vm.parseJsonStringArray(json, key);
        numbers = new uint256[](texts.length);
        for (uint256 i = 0; i < texts.length; ++i) {
            numbers[i] = _parse(texts[i]);
        }
    }

    function _sort(bytes32[] memory keys, uint256[] memory values) private pure {
        for (uint256 i = 1; i < keys.length; ++i) {
            for (uint256 j = i; j > 0 && keys[j] < keys[j - 1]; --j) {
                (keys[j], keys[j - 1]) = (keys[j - 1], keys[j]);
                (values[j], values[j - 1]) = (values[j - 1], values[j]);
            }
        }
    }
}
