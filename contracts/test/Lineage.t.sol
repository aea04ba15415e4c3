// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {FeeSplitter} from "../src/FeeSplitter.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {LineageRules, Royalty, TrainingOrder} from "../src/Types.sol";
import {CidText} from "./support/CidText.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Revisions, parents and royalties of adapters.
contract LineageTest is Fixture {
    bytes32 private constant BASE = keccak256("base");
    string private root = CidText.raw("manifest");
    uint256 private registered;

    function setUp() public override {
        super.setUp();
        vm.prank(admin);
        models.registerBase(BASE, "tiny-base", "ipfs://base");
        vm.prank(admin);
        models.registerBase("other", "other-base", "ipfs://other");
        vm.prank(stranger);
        uint64 id = datanets.create("fables", "CC0-1.0", "");
        vm.prank(stranger);
        datanets.publish(id, 1, root, "CC0-1.0", 146);
    }

    function order(uint256 key, string memory name, uint16 royalty, bytes32[] memory parents)
        private
        returns (TrainingOrder memory)
    {
        return TrainingOrder({
            owner: vm.addr(key),
            name: name,
            base: BASE,
            datanet: 1,
            version: 1,
            root: root,
            hyperHash: keccak256("hyper"),
            access: 1e15,
            royaltyBps: royalty,
            revision: models.latestRevision(vm.addr(key), name) + 1,
            parents: parents,
            nonce: bytes32(++registered),
            deadline: uint64(block.timestamp + 1 hours)
        });
    }

    function cidAt(uint256 i) private pure returns (string memory) {
        return CidText.raw(abi.encode("adapter", i));
    }

    function register(uint256 key, TrainingOrder memory o) private returns (bytes32) {
        return models.registerAdapter(o, cidAt(uint256(o.nonce)), sign(key, models.trainingOrderDigest(o)));
    }

    /// An adapter of its own name.
    function add(uint256 key, uint16 royalty, bytes32[] memory parents) private returns (bytes32) {
        TrainingOrder memory o = order(key, string.concat("a", vm.toString(registered)), royalty, parents);
        return register(key, o);
    }

    function refused(uint256 key, TrainingOrder memory o, bytes memory why) private {
        bytes memory signature = sign(key, models.trainingOrderDigest(o));
        string memory cid = cidAt(uint256(o.nonce));
        vm.expectRevert(why);
        models.registerAdapter(o, cid, signature);
    }

    function none() private pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    function only(bytes32 a) private pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = a;
    }

    function both(bytes32 a, bytes32 b) private pure returns (bytes32[] memory list) {
        list = new bytes32[](2);
        (list[0], list[1]) = a < b ? (a, b) : (b, a);
    }

    // ---- revisions ----

    function test_Revisions_StayResolvable() public {
        bytes32[3] memory digests;
        for (uint256 i = 0; i < 3; ++i) {
            digests[i] = register(OWNER_KEY, order(OWNER_KEY, "fables", 0, none()));
        }
        vm.assertEq(models.latestRevision(owner, "fables"), 3);
        vm.assertEq(models.adapterByName(owner, "fables"), digests[2]);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(models.adapterRevision(owner, "fables", uint32(i + 1)), digests[i]);
            vm.assertEq(models.adapterOf(digests[i]).revision, i + 1);
        }
        vm.assertEq(models.adapterByName(stranger, "fables"), 0);
        vm.assertEq(models.latestRevision(stranger, "fables"), 0);
    }

    function test_Revisions_OutOfSequence_Reverts() public {
        register(OWNER_KEY, order(OWNER_KEY, "fables", 0, none()));
        TrainingOrder memory o = order(OWNER_KEY, "fables", 0, none());
        uint32[3] memory numbers = [0, uint32(3), type(uint32).max];
        for (uint256 i = 0; i < 3; ++i) {
            o.revision = numbers[i];
            refused(
                OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.RevisionGap.selector, owner, "fables", 2, numbers[i])
            );
        }
        o.revision = 1;
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.RevisionExists.selector, owner, "fables", 1));
    }

    function test_Revisions_Unknown_Reverts() public {
        register(OWNER_KEY, order(OWNER_KEY, "fables", 0, none()));
        for (uint32 n = 0; n < 3; n += 2) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownRevision.selector, owner, "fables", n));
            models.adapterRevision(owner, "fables", n);
        }
    }

    // ---- parents ----

    function test_Parents_Succeed() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        bytes32 b = add(STRANGER_KEY, 2000, only(a));
        TrainingOrder memory o = order(WORKER_KEY, "both", 500, both(a, b));
        bytes memory signature = sign(WORKER_KEY, models.trainingOrderDigest(o));
        string memory cid = cidAt(uint256(o.nonce));
        vm.expectEmit(true, true, true, true, address(models));
        emit ModelRegistry.LineageRegistered(sha256(abi.encode("adapter", uint256(o.nonce))), 1, 500, 2, 3, o.parents);
        bytes32 c = models.registerAdapter(o, cid, signature);
        ModelRegistry.Adapter memory got = models.adapterOf(c);
        vm.assertEq(keccak256(abi.encode(got.parents)), keccak256(abi.encode(o.parents)));
        vm.assertEq(got.royaltyBps, 500);
        vm.assertEq(got.depth, 2);
        vm.assertEq(got.ancestors, 3);
        vm.assertEq(models.adapterOf(a).depth, 0);
        vm.assertEq(models.adapterOf(b).ancestors, 1);
    }

    /// Whoever brings the order cannot change what the owner signed of the lineage.
    function test_Parents_NotSigned_Reverts() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        TrainingOrder memory o = order(STRANGER_KEY, "b", 0, only(a));
        bytes memory signature = sign(STRANGER_KEY, models.trainingOrderDigest(o));
        string memory cid = cidAt(uint256(o.nonce));
        o.parents = none();
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, stranger));
        models.registerAdapter(o, cid, signature);
        (o.parents, o.royaltyBps) = (only(a), 1);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, stranger));
        models.registerAdapter(o, cid, signature);
        (o.royaltyBps, o.revision) = (0, 2);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, stranger));
        models.registerAdapter(o, cid, signature);
    }

    function test_Parents_Invalid_Reverts() public {
        bytes32 a = add(OWNER_KEY, 0, none());
        bytes32 b = add(OWNER_KEY, 0, none());
        bytes32[] memory list = both(a, b);
        (list[0], list[1]) = (list[1], list[0]);
        TrainingOrder memory o = order(OWNER_KEY, "c", 0, list);
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.ParentsOutOfOrder.selector, list[1]));
        (list[0], list[1]) = (a, a);
        o.parents = list;
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.ParentsOutOfOrder.selector, a));
        o.parents = only("nobody");
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.UnknownAdapter.selector, bytes32("nobody")));
        o.parents = only(a);
        o.base = "other";
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.ParentOfOtherBase.selector, a, BASE));
    }

    function test_Parents_TooMany_Reverts() public {
        LineageRules memory rules = models.lineageRules();
        bytes32[] memory list = new bytes32[](uint256(rules.parents) + 1);
        TrainingOrder memory o = order(OWNER_KEY, "a", 0, list);
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.TooManyParents.selector, list.length, rules.parents));
    }

    function test_Depth_TooDeep_Reverts() public {
        uint256 most = models.lineageRules().depth;
        bytes32 a = add(OWNER_KEY, 0, none());
        for (uint256 i = 0; i < most; ++i) {
            a = add(OWNER_KEY, 0, only(a));
        }
        vm.assertEq(models.adapterOf(a).depth, most);
        TrainingOrder memory o = order(OWNER_KEY, "deeper", 0, only(a));
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.LineageTooDeep.selector, most + 1, most));
    }

    /// Ways to an ancestor count each, so that a walk along them stays short.
    function test_Ancestors_TooMany_Reverts() public {
        bytes32 a = add(OWNER_KEY, 1, none());
        bytes32 b = add(OWNER_KEY, 1, none());
        // ancestors of the two newest: 0, 2, 6, 14, 30, then 62
        for (uint256 i = 0; i < 4; ++i) {
            bytes32[] memory list = both(a, b);
            a = add(OWNER_KEY, 1, list);
            b = add(OWNER_KEY, 1, list);
        }
        vm.assertEq(models.adapterOf(a).ancestors, 30);
        bytes32 c = add(OWNER_KEY, 1, both(a, b));
        vm.assertEq(models.royaltiesOf(c).length, 62);
        TrainingOrder memory o = order(OWNER_KEY, "larger", 0, both(a, c));
        refused(OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.LineageTooLarge.selector, 94, 64));
    }

    // ---- royalties ----

    function test_Royalty_TooHigh_Reverts() public {
        LineageRules memory rules = models.lineageRules();
        TrainingOrder memory o = order(OWNER_KEY, "a", rules.royaltyBps + 1, none());
        refused(
            OWNER_KEY, o, abi.encodeWithSelector(ModelRegistry.RoyaltyTooHigh.selector, o.royaltyBps, rules.royaltyBps)
        );
        bytes32[] memory list = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            list[i] = add(OWNER_KEY, rules.royaltyBps, none());
        }
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = i + 1; j < 3; ++j) {
                if (list[j] < list[i]) (list[i], list[j]) = (list[j], list[i]);
            }
        }
        o = order(STRANGER_KEY, "c", 0, list);
        refused(
            STRANGER_KEY,
            o,
            abi.encodeWithSelector(
                ModelRegistry.ParentsAskTooMuch.selector, 3 * uint256(rules.royaltyBps), rules.totalBps
            )
        );
    }

    function test_LowerRoyalty_HoldsForDerivedAdapters() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        bytes32 b = add(STRANGER_KEY, 0, only(a));
        vm.assertEq(models.divide(b, 1e18)[1], 1e17);
        vm.expectEmit(true, true, true, true, address(models));
        emit ModelRegistry.RoyaltyLowered(a, 400);
        vm.prank(owner);
        models.lowerRoyalty(a, 400);
        vm.assertEq(models.divide(b, 1e18)[1], 4e16);
        vm.prank(owner);
        models.lowerRoyalty(a, 0);
        vm.assertEq(models.royaltiesOf(b).length, 0);
        vm.assertEq(models.divide(b, 1e18)[0], 1e18);
    }

    function test_LowerRoyalty_Raised_Reverts() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        for (uint16 bps = 1000; bps < 1002; ++bps) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.RoyaltyNotLower.selector, a, 1000, bps));
            vm.prank(owner);
            models.lowerRoyalty(a, bps);
        }
    }

    function test_LowerRoyalty_NotOwner_Reverts() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotAdapterOwner.selector, a, stranger));
        vm.prank(stranger);
        models.lowerRoyalty(a, 0);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownAdapter.selector, bytes32("x")));
        models.lowerRoyalty("x", 0);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownAdapter.selector, bytes32("x")));
        models.royaltiesOf("x");
    }

    function test_RoyaltiesOf_ThreeGenerations() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        bytes32 free = add(NODE_KEY, 0, only(a));
        bytes32 b = add(STRANGER_KEY, 2000, both(a, free));
        bytes32 c = add(WORKER_KEY, 0, both(a, b));
        Royalty[] memory list = models.royaltiesOf(c);
        vm.assertEq(list.length, 3); // the free one is left out, with what is behind it
        uint256 at = a < b ? 1 : 0; // of b
        vm.assertEq(keccak256(abi.encode(list[at])), keccak256(abi.encode(Royalty(b, stranger, 0, 2000))));
        vm.assertEq(keccak256(abi.encode(list[1 - at])), keccak256(abi.encode(Royalty(a, owner, 0, 1000))));
        vm.assertEq(keccak256(abi.encode(list[2])), keccak256(abi.encode(Royalty(a, owner, uint16(at + 1), 1000))));
        uint256[] memory got = models.divide(c, 1e18);
        vm.assertEq(got[0], 7e17);
        vm.assertEq(got[at + 1], 18e16);
        vm.assertEq(got[2 - at], 1e17);
        vm.assertEq(got[3], 2e16);
    }

    /// Whatever the lineage and the amount: the parts add up, and the owner keeps its part of every fee to within a wei for
    /// each parent.
    function testFuzz_Divide_AddsUp(uint256 amount, uint256 seed) public {
        LineageRules memory rules = models.lineageRules();
        bytes32[] memory known = new bytes32[](7);
        uint256[4] memory keys = [OWNER_KEY, STRANGER_KEY, WORKER_KEY, NODE_KEY];
        for (uint256 i = 0; i < known.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            bytes32[] memory parents = none();
            if (i > 1 && seed % 4 != 0) {
                bytes32 one = known[(seed >> 8) % i];
                bytes32 two = known[(seed >> 16) % i];
                parents = one == two ? only(one) : both(one, two);
            }
            known[i] = add(keys[(seed >> 24) % 4], uint16((seed >> 32) % (rules.royaltyBps + 1)), parents);
        }
        bytes32 last = known[known.length - 1];
        Royalty[] memory list = models.royaltiesOf(last);
        vm.assertTrue(list.length <= models.adapterOf(last).ancestors);
        uint256[] memory got = models.divide(last, amount);
        uint256 sum = 0;
        uint256 asked = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < got.length; ++i) {
            sum += got[i];
            if (i != 0 && list[i - 1].from == 0) {
                asked += list[i - 1].bps;
                ++count;
            }
        }
        vm.assertEq(sum, amount);
        vm.assertTrue(asked <= rules.totalBps);
        uint256 least = amount / 10_000 * (10_000 - asked) + (amount % 10_000) * (10_000 - asked) / 10_000;
        vm.assertTrue(got[0] >= least && got[0] - least <= 1);
    }

    function royalties(uint256 amount, Royalty[] calldata list) external pure returns (uint256[] memory) {
        return FeeSplitter.royalties(amount, list);
    }

    function test_Royalties_OutOfOrder_Reverts() public {
        Royalty[] memory list = new Royalty[](1);
        list[0].from = 1;
        vm.expectRevert(abi.encodeWithSelector(FeeSplitter.InvalidLineage.selector, 0));
        this.royalties(1, list);
        list = new Royalty[](3);
        (list[0].bps, list[1].bps, list[2].bps, list[1].from) = (1, 1, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(FeeSplitter.InvalidLineage.selector, 2));
        this.royalties(1, list);
    }

    // ---- rules ----

    function test_SetLineageRules_Succeeds() public {
        vm.expectEmit(true, true, true, true, address(models));
        emit ModelRegistry.LineageRulesChanged(9999, 9999, 32, 16);
        vm.prank(admin);
        models.setLineageRules(LineageRules(9999, 9999, 32, 16));
        vm.assertEq(
            keccak256(abi.encode(models.lineageRules())), keccak256(abi.encode(LineageRules(9999, 9999, 32, 16)))
        );
    }

    function test_SetLineageRules_Invalid_Reverts() public {
        LineageRules[4] memory bad = [
            LineageRules(2, 1, 1, 1),
            LineageRules(1, 10_000, 1, 1),
            LineageRules(1, 1, 33, 1),
            LineageRules(1, 1, 1, 17)
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidLineageRules.selector, bad[i]));
            vm.prank(admin);
            models.setLineageRules(bad[i]);
        }
    }

    function test_SetLineageRules_NotAdmin_Reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, bytes32(0))
        );
        vm.prank(stranger);
        models.setLineageRules(LineageRules(0, 0, 0, 0));
    }

    /// Stricter rules do not touch what is registered.
    function test_SetLineageRules_KeepsLineages() public {
        bytes32 a = add(OWNER_KEY, 1000, none());
        bytes32 b = add(STRANGER_KEY, 0, only(a));
        vm.prank(admin);
        models.setLineageRules(LineageRules(0, 0, 0, 0));
        vm.assertEq(models.divide(b, 1e18)[1], 1e17);
    }
}
