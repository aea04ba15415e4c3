// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Cid} from "../src/Cid.sol";
import {DatanetPool} from "../src/DatanetPool.sol";
import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {CidText} from "./support/CidText.sol";
import {Fixture} from "./support/Fixture.sol";

contract DatanetRegistryTest is Fixture {
    string private root = CidText.raw("manifest");

    function _create() private returns (uint64) {
        vm.prank(owner);
        return datanets.create("fables", "CC0-1.0", "{}");
    }

    function _publish(uint64 id, uint32 version) private {
        vm.prank(owner);
        datanets.publish(id, version, root, "CC0-1.0", 146);
    }

    function test_Create_Succeeds() public {
        uint64 id = _create();
        vm.assertEq(id, 1);
        vm.assertEq(datanets.count(), 1);
        DatanetRegistry.Datanet memory d = datanets.datanetOf(id);
        vm.assertEq(d.owner, owner);
        vm.assertEq(d.name, "fables");
        vm.assertEq(d.license, "CC0-1.0");
        vm.assertEq(d.metadata, "{}");
        vm.assertEq(d.versions, 0);
        vm.assertEq(d.createdAt, START);
        vm.assertEq(datanets.ownerOf(id), owner);
        DatanetPool pool = DatanetPool(payable(datanets.poolOf(id)));
        vm.assertEq(address(pool), d.pool);
        vm.assertEq(pool.registry(), address(datanets));
        vm.assertEq(pool.datanet(), id);
        vm.assertTrue(_create() == 2 && datanets.poolOf(2) != d.pool);
    }

    function test_Create_Lengths_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.InvalidLength.selector, "name", 0, 64));
        datanets.create("", "MIT", "");
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.InvalidLength.selector, "name", 65, 64));
        datanets.create(string(new bytes(65)), "MIT", "");
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.InvalidLength.selector, "license", 0, 256));
        datanets.create("n", "", "");
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.InvalidLength.selector, "license", 257, 256));
        datanets.create("n", string(new bytes(257)), "");
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.InvalidLength.selector, "metadata", 4097, 4096));
        datanets.create("n", "MIT", string(new bytes(4097)));
    }

    function test_SetRetrievalPrice_Succeeds() public {
        uint64 id = _create();
        vm.assertEq(datanets.retrievalPriceOf(id), 0);
        vm.expectEmit(true, true, true, true, address(datanets));
        emit DatanetRegistry.RetrievalPriceChanged(id, 7);
        vm.prank(owner);
        datanets.setRetrievalPrice(id, 7);
        vm.assertEq(datanets.retrievalPriceOf(id), 7);
        vm.assertEq(datanets.retrievalPriceOf(_create()), 0);
    }

    function test_SetRetrievalPrice_NotOwner_Reverts() public {
        uint64 id = _create();
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.NotDatanetOwner.selector, id, address(this)));
        datanets.setRetrievalPrice(id, 1);
    }

    function test_RetrievalPrice_Unknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.UnknownDatanet.selector, 9));
        datanets.retrievalPriceOf(9);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.UnknownDatanet.selector, 9));
        datanets.setRetrievalPrice(9, 1);
    }

    function test_Publish_Succeeds() public {
        uint64 id = _create();
        vm.expectEmit(true, true, true, true, address(datanets));
        emit DatanetRegistry.VersionPublished(id, 1, sha256("manifest"), root, "CC0-1.0", 146);
        _publish(id, 1);
        vm.assertEq(datanets.latestVersion(id), 1);
        DatanetRegistry.Version memory v = datanets.versionOf(id, 1);
        vm.assertEq(v.root, root);
        vm.assertEq(v.rootDigest, sha256("manifest"));
        vm.assertEq(v.license, "CC0-1.0");
        vm.assertEq(v.recordCount, 146);
        vm.assertEq(v.publishedAt, START);
        _publish(id, 2);
        vm.assertEq(datanets.latestVersion(id), 2);
    }

    function test_Publish_Again_Reverts() public {
        uint64 id = _create();
        _publish(id, 1);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.VersionExists.selector, id, 1));
        _publish(id, 1);
    }

    function test_Publish_OutOfSequence_Reverts() public {
        uint64 id = _create();
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.VersionGap.selector, id, 1, 2));
        _publish(id, 2);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.VersionGap.selector, id, 1, 0));
        _publish(id, 0);
    }

    function test_Publish_NotOwner_Reverts() public {
        uint64 id = _create();
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.NotDatanetOwner.selector, id, stranger));
        vm.prank(stranger);
        datanets.publish(id, 1, root, "MIT", 1);
    }

    function test_Publish_BadArguments_Reverts() public {
        uint64 id = _create();
        vm.expectRevert(abi.encodeWithSelector(Cid.InvalidCid.selector, "bafynonsense"));
        vm.prank(owner);
        datanets.publish(id, 1, "bafynonsense", "MIT", 1);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.NoRecords.selector, id));
        vm.prank(owner);
        datanets.publish(id, 1, root, "MIT", 0);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.InvalidLength.selector, "license", 0, 256));
        vm.prank(owner);
        datanets.publish(id, 1, root, "", 1);
    }

    function test_Views_Unknown_Reverts() public {
        bytes memory why = abi.encodeWithSelector(DatanetRegistry.UnknownDatanet.selector, 7);
        vm.expectRevert(why);
        datanets.datanetOf(7);
        vm.expectRevert(why);
        datanets.ownerOf(7);
        vm.expectRevert(why);
        datanets.poolOf(7);
        vm.expectRevert(why);
        datanets.latestVersion(7);
        vm.expectRevert(why);
        datanets.publish(7, 1, root, "MIT", 1);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.UnknownVersion.selector, 7, 1));
        datanets.versionOf(7, 1);
    }

    // ---- pool ----

    function _pool() private returns (DatanetPool pool) {
        pool = DatanetPool(payable(datanets.poolOf(_create())));
        vm.deal(address(this), 10);
        vm.expectEmit(true, true, true, true, address(pool));
        emit DatanetPool.Received(address(this), 10);
        (bool ok,) = address(pool).call{value: 10}("");
        vm.assertTrue(ok);
    }

    function test_PoolGrant_Succeeds() public {
        DatanetPool pool = _pool();
        vm.expectEmit(true, true, true, true, address(pool));
        emit DatanetPool.Granted(stranger, 4, "for proof-reading");
        vm.prank(owner);
        pool.grant(stranger, 4, "for proof-reading");
        vm.assertEq(stranger.balance, 4);
        vm.assertEq(address(pool).balance, 6);
    }

    function test_PoolGrant_Invalid_Reverts() public {
        DatanetPool pool = _pool();
        vm.expectRevert(abi.encodeWithSelector(DatanetPool.NotDatanetOwner.selector, 1, stranger));
        vm.prank(stranger);
        pool.grant(stranger, 1, "");
        vm.expectRevert(abi.encodeWithSelector(DatanetPool.InsufficientPool.selector, 11, 10));
        vm.prank(owner);
        pool.grant(stranger, 11, "");
        vm.expectRevert(DatanetPool.ZeroAddress.selector);
        vm.prank(owner);
        pool.grant(address(0), 1, "");
    }
}
