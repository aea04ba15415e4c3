// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {LineageRules, TrainingOrder} from "../src/Types.sol";
import {CidText} from "./support/CidText.sol";
import {Fixture} from "./support/Fixture.sol";

contract ModelRegistryTest is Fixture {
    bytes32 private constant BASE = keccak256("base");
    string private root = CidText.raw("manifest");
    string private cid = CidText.raw("adapter");
    bytes32 private digest = sha256("adapter");

    function setUp() public override {
        super.setUp();
        vm.prank(admin);
        models.registerBase(BASE, "tiny-base", "ipfs://base");
        vm.prank(stranger); // a datanet may be somebody else's
        uint64 id = datanets.create("fables", "CC0-1.0", "");
        vm.prank(stranger);
        datanets.publish(id, 1, root, "CC0-1.0", 146);
    }

    function _order() private view returns (TrainingOrder memory) {
        return TrainingOrder({
            owner: owner,
            name: "aesop-1.0",
            base: BASE,
            datanet: 1,
            version: 1,
            root: root,
            hyperHash: keccak256("hyper"),
            access: 1e15,
            royaltyBps: 1000,
            revision: 1,
            parents: new bytes32[](0),
            nonce: keccak256("nonce"),
            deadline: uint64(START + 1 hours)
        });
    }

    function _sign(TrainingOrder memory o) private view returns (bytes memory) {
        return sign(OWNER_KEY, models.trainingOrderDigest(o));
    }

    function _register(TrainingOrder memory o) private returns (bytes32) {
        bytes memory signature = _sign(o);
        vm.prank(worker);
        return models.registerAdapter(o, cid, signature);
    }

    function _expectRevert(TrainingOrder memory o, bytes memory why) private {
        bytes memory signature = _sign(o);
        vm.expectRevert(why);
        models.registerAdapter(o, cid, signature);
    }

    // ---- bases ----

    function test_RegisterBase_Succeeds() public view {
        vm.assertEq(models.baseCount(), 1);
        vm.assertEq(models.baseAt(0).hash, BASE);
        vm.assertEq(models.baseOf(BASE).name, "tiny-base");
        vm.assertEq(models.baseOf(BASE).uri, "ipfs://base");
        vm.assertEq(models.baseOf(BASE).registeredAt, START);
    }

    function test_RegisterBase_Again_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.BaseAlreadyRegistered.selector, BASE));
        vm.prank(admin);
        models.registerBase(BASE, "other", "");
    }

    function test_RegisterBase_Invalid_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidBase.selector, bytes32(0)));
        vm.prank(admin);
        models.registerBase(0, "other", "");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidBase.selector, bytes32("x")));
        vm.prank(admin);
        models.registerBase("x", "other", string(new bytes(513)));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidName.selector, "Other"));
        vm.prank(admin);
        models.registerBase("x", "Other", "");
    }

    function test_RegisterBase_NotRegistrar_Reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, models.REGISTRAR_ROLE()
            )
        );
        vm.prank(stranger);
        models.registerBase("x", "other", "");
    }

    // ---- adapters ----

    function test_RegisterAdapter_Succeeds() public {
        TrainingOrder memory o = _order();
        vm.expectEmit(true, true, true, true, address(models));
        emit ModelRegistry.AdapterRegistered(digest, owner, BASE, 1, 1, 1e15, "aesop-1.0", cid, worker);
        vm.assertEq(_register(o), digest);
        ModelRegistry.Adapter memory a = models.adapterOf(digest);
        vm.assertEq(a.digest, digest);
        vm.assertEq(a.base, BASE);
        vm.assertEq(a.datanetRoot, sha256("manifest"));
        vm.assertEq(a.hyperHash, o.hyperHash);
        vm.assertEq(a.access, 1e15);
        vm.assertEq(a.owner, owner);
        vm.assertEq(a.datanet, 1);
        vm.assertEq(a.version, 1);
        vm.assertEq(a.registrant, worker);
        vm.assertEq(a.registeredAt, START);
        vm.assertEq(a.name, "aesop-1.0");
        vm.assertEq(a.cid, cid);
        vm.assertEq(models.adapterCount(), 1);
        vm.assertEq(models.adapterAt(0).cid, cid);
        vm.assertEq(models.adapterByName(owner, "aesop-1.0"), digest);
        vm.assertTrue(models.isNonceUsed(owner, o.nonce));
        vm.assertEq(address(models.datanets()), address(datanets));
    }

    function test_RegisterAdapter_Again_Reverts() public {
        TrainingOrder memory o = _order();
        _register(o);
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.AdapterAlreadyRegistered.selector, digest));
    }

    function test_RegisterAdapter_NonceUsed_Reverts() public {
        TrainingOrder memory o = _order();
        _register(o);
        cid = CidText.raw("another adapter");
        o.name = "another";
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.OrderNonceUsed.selector, owner, o.nonce));
    }

    function test_RegisterAdapter_RevisionTaken_Reverts() public {
        TrainingOrder memory o = _order();
        _register(o);
        cid = CidText.raw("another adapter");
        o.nonce = "2";
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.RevisionExists.selector, owner, o.name, 1));
    }

    function test_RegisterAdapter_Expired_Reverts() public {
        TrainingOrder memory o = _order();
        vm.warp(uint256(o.deadline) + 1);
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.OrderExpired.selector, o.deadline, o.deadline + 1));
    }

    function test_RegisterAdapter_UnknownBase_Reverts() public {
        TrainingOrder memory o = _order();
        o.base = "x";
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.UnknownBase.selector, bytes32("x")));
    }

    function test_RegisterAdapter_UnknownVersion_Reverts() public {
        TrainingOrder memory o = _order();
        o.version = 2;
        _expectRevert(o, abi.encodeWithSelector(DatanetRegistry.UnknownVersion.selector, 1, 2));
    }

    function test_RegisterAdapter_OtherRoot_Reverts() public {
        TrainingOrder memory o = _order();
        o.root = cid;
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.RootMismatch.selector, 1, 1, root, cid));
    }

    function test_RegisterAdapter_WrongSignature_Reverts() public {
        TrainingOrder memory o = _order();
        bytes memory signature = _sign(o);
        o.access += 1;
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, owner));
        models.registerAdapter(o, cid, signature);
    }

    function test_RegisterAdapter_BadName_Reverts() public {
        string[4] memory names = ["", "Aesop", "a b", string(new bytes(65))];
        for (uint256 i = 0; i < names.length; ++i) {
            TrainingOrder memory o = _order();
            o.name = names[i];
            _expectRevert(o, abi.encodeWithSelector(ModelRegistry.InvalidName.selector, names[i]));
        }
    }

    function test_RegisterAdapter_ZeroOwner_Reverts() public {
        TrainingOrder memory o = _order();
        o.owner = address(0);
        _expectRevert(o, abi.encodeWithSelector(ModelRegistry.ZeroAddress.selector));
    }

    function test_SetAccess_Succeeds() public {
        _register(_order());
        vm.expectEmit(true, true, true, true, address(models));
        emit ModelRegistry.AccessChanged(digest, 7);
        vm.prank(owner);
        models.setAccess(digest, 7);
        vm.assertEq(models.adapterOf(digest).access, 7);
    }

    function test_SetAccess_NotOwner_Reverts() public {
        _register(_order());
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotAdapterOwner.selector, digest, worker));
        vm.prank(worker);
        models.setAccess(digest, 7);
    }

    function test_Views_Unknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownAdapter.selector, digest));
        models.adapterOf(digest);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownAdapter.selector, digest));
        models.setAccess(digest, 1);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownBase.selector, bytes32("x")));
        models.baseOf("x");
    }

    function test_Constructor_ZeroAddress_Reverts() public {
        LineageRules memory rules = models.lineageRules();
        vm.expectRevert(ModelRegistry.ZeroAddress.selector);
        new ModelRegistry(address(0), datanets, rules);
        vm.expectRevert(ModelRegistry.ZeroAddress.selector);
        new ModelRegistry(admin, DatanetRegistry(address(0)), rules);
    }
}
