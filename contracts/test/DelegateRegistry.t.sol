// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {DelegateRegistry} from "../src/DelegateRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {Delegation, TrainingOrder} from "../src/Types.sol";
import {CidText} from "./support/CidText.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Who may act for whom, and what the registries make of it.
contract DelegateRegistryTest is Fixture {
    uint256 private constant DELEGATE_KEY = 0xD1;
    uint32 private constant TRAIN = 1;
    uint32 private constant PUBLISH = 2;
    uint32 private constant CONTRIBUTE = 4;
    bytes32 private constant BASE = keccak256("base");

    address private delegate = vm.addr(DELEGATE_KEY);
    string private root = CidText.raw("manifest");
    string private cid = CidText.raw("adapter");

    function _authorize(uint32 scopes, uint64 expiry) private {
        vm.prank(owner);
        delegates.authorize(delegate, scopes, expiry);
    }

    function _delegation() private view returns (Delegation memory) {
        return Delegation({
            owner: owner,
            delegate: delegate,
            scopes: TRAIN | PUBLISH,
            expiry: uint64(START + 30 days),
            nonce: delegates.nonces(owner),
            deadline: uint64(START + 1 hours)
        });
    }

    function _bring(Delegation memory d) private {
        bytes memory signature = sign(OWNER_KEY, delegates.delegationDigest(d));
        vm.prank(stranger); // anybody may
        delegates.authorizeFor(d, signature);
    }

    // ---- authority ----

    function test_Authorize_HoldsForItsScopesUntilItsExpiry_Succeeds() public {
        vm.expectEmit(true, true, true, true, address(delegates));
        emit DelegateRegistry.DelegateAuthorized(owner, delegate, TRAIN | PUBLISH, uint64(START + 100));
        _authorize(TRAIN | PUBLISH, uint64(START + 100));
        vm.assertTrue(delegates.isDelegate(owner, delegate, TRAIN));
        vm.assertTrue(delegates.isDelegate(owner, delegate, TRAIN | PUBLISH));
        vm.assertFalse(delegates.isDelegate(owner, delegate, CONTRIBUTE));
        vm.assertFalse(delegates.isDelegate(owner, delegate, TRAIN | CONTRIBUTE));
        vm.assertFalse(delegates.isDelegate(owner, delegate, 0));
        vm.assertFalse(delegates.isDelegate(delegate, owner, TRAIN));
        vm.assertFalse(delegates.isDelegate(owner, stranger, TRAIN));
        vm.warp(START + 99);
        vm.assertTrue(delegates.isDelegate(owner, delegate, TRAIN));
        vm.warp(START + 100);
        vm.assertFalse(delegates.isDelegate(owner, delegate, TRAIN));
        DelegateRegistry.Grant memory g = delegates.grantOf(owner, delegate);
        vm.assertTrue(g.from == START && g.until == START + 100 && g.scopes == TRAIN | PUBLISH);
    }

    function test_Authorize_Again_ReplacesInWhole_Succeeds() public {
        _authorize(TRAIN | PUBLISH, uint64(START + 100));
        vm.warp(START + 10);
        _authorize(CONTRIBUTE, uint64(START + 50));
        vm.assertFalse(delegates.isDelegate(owner, delegate, TRAIN));
        vm.assertTrue(delegates.isDelegate(owner, delegate, CONTRIBUTE));
        vm.assertEq(delegates.grantCount(owner, delegate), 2);
    }

    function test_WasDelegate_ReadsThePast_Succeeds() public {
        _authorize(TRAIN, uint64(START + 100)); // until the next at 10
        vm.warp(START + 10);
        _authorize(PUBLISH, uint64(START + 50)); // until revoked at 20
        vm.warp(START + 20);
        vm.prank(owner);
        delegates.revoke(delegate);
        vm.warp(START + 30);
        _authorize(TRAIN | PUBLISH, uint64(START + 40)); // to its end
        vm.warp(START + 1000);
        uint64 t = uint64(START);
        vm.assertFalse(delegates.wasDelegate(owner, delegate, TRAIN, t - 1));
        vm.assertTrue(delegates.wasDelegate(owner, delegate, TRAIN, t));
        vm.assertTrue(delegates.wasDelegate(owner, delegate, TRAIN, t + 9));
        vm.assertFalse(delegates.wasDelegate(owner, delegate, TRAIN, t + 10));
        vm.assertTrue(delegates.wasDelegate(owner, delegate, PUBLISH, t + 19));
        vm.assertFalse(delegates.wasDelegate(owner, delegate, PUBLISH, t + 20));
        vm.assertFalse(delegates.wasDelegate(owner, delegate, PUBLISH, t + 29));
        vm.assertTrue(delegates.wasDelegate(owner, delegate, TRAIN | PUBLISH, t + 39));
        vm.assertFalse(delegates.wasDelegate(owner, delegate, TRAIN, t + 40));
        vm.assertFalse(delegates.wasDelegate(owner, stranger, TRAIN, t));
    }

    /// @notice Against a plain walk over everything that was authorised.
    function testFuzz_WasDelegate_IsTheNewestThatHadBegun_Succeeds(
        uint8[12] memory gaps,
        uint8[12] memory lives,
        uint16 at
    ) public {
        uint64[12] memory from;
        uint64[12] memory until;
        uint64 t = uint64(START);
        for (uint256 i = 0; i < 12; ++i) {
            t += gaps[i];
            vm.warp(t);
            if (i != 0 && until[i - 1] > t) until[i - 1] = t;
            (from[i], until[i]) = (t, t + 1 + lives[i]);
            _authorize(uint32(1 << (i % 3)), until[i]);
        }
        uint64 when = uint64(START) + at % 3500;
        for (uint32 scope = 1; scope <= 4; scope <<= 1) {
            bool want = false;
            for (uint256 i = 0; i < 12; ++i) {
                if (from[i] <= when) want = when < until[i] && uint32(1 << (i % 3)) == scope;
            }
            vm.assertTrue(delegates.wasDelegate(owner, delegate, scope, when) == want);
        }
    }

    function test_Authorize_BadInput_Reverts() public {
        uint64 most = delegates.MAX_LIFETIME();
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.InvalidDelegate.selector, owner, address(0)));
        vm.prank(owner);
        delegates.authorize(address(0), TRAIN, uint64(START + 1));
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.InvalidDelegate.selector, owner, owner));
        vm.prank(owner);
        delegates.authorize(owner, TRAIN, uint64(START + 1));
        vm.expectRevert(DelegateRegistry.NoScopes.selector);
        vm.prank(owner);
        delegates.authorize(delegate, 0, uint64(START + 1));
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.InvalidExpiry.selector, START, START + 1, START + most));
        vm.prank(owner);
        delegates.authorize(delegate, TRAIN, uint64(START));
        vm.expectRevert(
            abi.encodeWithSelector(DelegateRegistry.InvalidExpiry.selector, START + most + 1, START + 1, START + most)
        );
        vm.prank(owner);
        delegates.authorize(delegate, TRAIN, uint64(START + most + 1));
    }

    // ---- by signature ----

    function test_AuthorizeFor_ByAnybody_Succeeds() public {
        _bring(_delegation());
        vm.assertTrue(delegates.isDelegate(owner, delegate, TRAIN | PUBLISH));
    }

    function test_AuthorizeFor_Twice_Reverts() public {
        Delegation memory d = _delegation();
        _bring(d);
        bytes memory signature = sign(OWNER_KEY, delegates.delegationDigest(d));
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, owner, 1));
        delegates.authorizeFor(d, signature);
    }

    function test_AuthorizeFor_TooLate_Reverts() public {
        Delegation memory d = _delegation();
        bytes memory signature = sign(OWNER_KEY, delegates.delegationDigest(d));
        vm.warp(d.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.DelegationExpired.selector, d.deadline, d.deadline + 1));
        delegates.authorizeFor(d, signature);
    }

    function test_AuthorizeFor_OfSomebodyElse_Reverts() public {
        Delegation memory d = _delegation();
        bytes memory signature = sign(STRANGER_KEY, delegates.delegationDigest(d));
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.InvalidSignature.selector, owner));
        delegates.authorizeFor(d, signature);
        signature = sign(OWNER_KEY, delegates.delegationDigest(d));
        d.scopes = TRAIN | PUBLISH | CONTRIBUTE; // more than was signed
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.InvalidSignature.selector, owner));
        delegates.authorizeFor(d, signature);
    }

    function test_Revoke_EndsAtOnceAndVoidsWhatWasSigned_Succeeds() public {
        _authorize(TRAIN, uint64(START + 100));
        Delegation memory unsent = _delegation();
        vm.expectEmit(true, true, true, true, address(delegates));
        emit DelegateRegistry.DelegateRevoked(owner, delegate, owner);
        vm.prank(owner);
        delegates.revoke(delegate);
        vm.assertFalse(delegates.isDelegate(owner, delegate, TRAIN));
        bytes memory signature = sign(OWNER_KEY, delegates.delegationDigest(unsent));
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, owner, 1));
        delegates.authorizeFor(unsent, signature);
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.UnknownDelegate.selector, owner, delegate));
        vm.prank(owner);
        delegates.revoke(delegate);
    }

    function test_CancelSigned_VoidsWhatWasSigned_Succeeds() public {
        _authorize(TRAIN, uint64(START + 100));
        Delegation memory unsent = _delegation();
        vm.prank(owner);
        delegates.cancelSigned();
        vm.assertTrue(delegates.isDelegate(owner, delegate, TRAIN));
        bytes memory signature = sign(OWNER_KEY, delegates.delegationDigest(unsent));
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, owner, 1));
        delegates.authorizeFor(unsent, signature);
    }

    function test_Renounce_EndsTheCallersOnly_Succeeds() public {
        _authorize(TRAIN, uint64(START + 100));
        vm.expectRevert(abi.encodeWithSelector(DelegateRegistry.UnknownDelegate.selector, owner, stranger));
        vm.prank(stranger);
        delegates.renounce(owner);
        vm.prank(delegate);
        delegates.renounce(owner);
        vm.assertFalse(delegates.isDelegate(owner, delegate, TRAIN));
    }

    // ---- datanets ----

    function test_CreateForAndPublish_InTheOwnersName_Succeeds() public {
        _authorize(PUBLISH, uint64(START + 100));
        vm.expectEmit(true, true, true, true, address(datanets));
        emit DatanetRegistry.DelegateActed(1, 0, delegate);
        vm.prank(delegate);
        uint64 id = datanets.createFor(owner, "chats", "CC0-1.0", "");
        vm.assertEq(datanets.ownerOf(id), owner);
        vm.expectEmit(true, true, true, true, address(datanets));
        emit DatanetRegistry.DelegateActed(id, 1, delegate);
        vm.prank(delegate);
        datanets.publish(id, 1, root, "CC0-1.0", 3);
        vm.assertEq(datanets.latestVersion(id), 1);
        vm.prank(owner); // who keeps every right
        datanets.publish(id, 2, root, "CC0-1.0", 3);
    }

    function test_CreateForAndPublish_WithoutAuthority_Reverts() public {
        vm.prank(owner);
        uint64 id = datanets.create("chats", "CC0-1.0", "");
        _authorize(TRAIN | CONTRIBUTE, uint64(START + 100));
        _expectNoDatanets(id); // another scope
        _authorize(PUBLISH, uint64(START + 100));
        vm.warp(START + 100);
        _expectNoDatanets(id); // expired
        _authorize(PUBLISH, uint64(START + 200));
        vm.prank(owner);
        delegates.revoke(delegate);
        _expectNoDatanets(id);
    }

    function _expectNoDatanets(uint64 id) private {
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.NotDelegate.selector, owner, delegate));
        vm.prank(delegate);
        datanets.createFor(owner, "chats", "CC0-1.0", "");
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.NotDatanetOwner.selector, id, delegate));
        vm.prank(delegate);
        datanets.publish(id, 1, root, "CC0-1.0", 3);
    }

    function test_Delegate_CannotSpendThePool_Reverts() public {
        _authorize(type(uint32).max, uint64(START + 100));
        vm.prank(owner);
        uint64 id = datanets.create("chats", "CC0-1.0", "");
        address pool = datanets.poolOf(id);
        vm.deal(pool, 1 ether);
        vm.prank(delegate);
        (bool ok,) = pool.call(abi.encodeWithSignature("grant(address,uint256,string)", delegate, 1 ether, "mine"));
        vm.assertFalse(ok);
    }

    function test_Constructor_ZeroAddress_Reverts() public {
        vm.expectRevert(DatanetRegistry.ZeroAddress.selector);
        new DatanetRegistry(DelegateRegistry(address(0)));
    }

    // ---- trainings ----

    function _ready() private returns (TrainingOrder memory) {
        vm.prank(admin);
        models.registerBase(BASE, "tiny-base", "");
        vm.prank(owner);
        datanets.create("chats", "CC0-1.0", "");
        vm.prank(owner);
        datanets.publish(1, 1, root, "CC0-1.0", 3);
        return TrainingOrder({
            owner: owner,
            name: "chatty",
            base: BASE,
            datanet: 1,
            version: 1,
            root: root,
            hyperHash: keccak256("hyper"),
            access: 0,
            royaltyBps: 0,
            revision: 1,
            parents: new bytes32[](0),
            nonce: keccak256("nonce"),
            deadline: uint64(START + 1 hours)
        });
    }

    function test_RegisterAdapter_ByDelegatesOrder_Succeeds() public {
        TrainingOrder memory o = _ready();
        _authorize(TRAIN, uint64(START + 100));
        bytes memory signature = sign(DELEGATE_KEY, models.trainingOrderDigest(o));
        vm.expectEmit(true, true, true, true, address(models));
        emit ModelRegistry.DelegateOrdered(sha256("adapter"), owner, delegate);
        vm.prank(worker);
        bytes32 digest = models.registerAdapter(o, cid, signature);
        ModelRegistry.Adapter memory a = models.adapterOf(digest);
        vm.assertTrue(a.owner == owner && a.signer == delegate && a.registrant == worker);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotAdapterOwner.selector, digest, delegate));
        vm.prank(delegate); // the price is the owner's to set
        models.setAccess(digest, 7);
        vm.warp(START + 1 days); // what was registered stands when the authority is over
        vm.assertEq(models.adapterOf(digest).signer, delegate);
    }

    function test_RegisterAdapter_OwnersOrder_NamesTheOwner_Succeeds() public {
        TrainingOrder memory o = _ready();
        bytes memory signature = sign(OWNER_KEY, models.trainingOrderDigest(o));
        vm.assertEq(models.adapterOf(models.registerAdapter(o, cid, signature)).signer, owner);
    }

    function test_RegisterAdapter_DelegateWithoutAuthority_Reverts() public {
        TrainingOrder memory o = _ready();
        bytes memory signature = sign(DELEGATE_KEY, models.trainingOrderDigest(o));
        bytes memory why = abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, owner);
        vm.expectRevert(why); // never
        models.registerAdapter(o, cid, signature);
        _authorize(PUBLISH | CONTRIBUTE, uint64(START + 100));
        vm.expectRevert(why); // for something else
        models.registerAdapter(o, cid, signature);
        _authorize(TRAIN, uint64(START + 100));
        vm.warp(START + 100);
        vm.expectRevert(why); // not any longer, though it was when it signed
        models.registerAdapter(o, cid, signature);
    }
}
