// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {EpochDistributor} from "../src/EpochDistributor.sol";
import {Batch, BatchRef, Claim, EpochClaim, SignedVoucher, Voucher} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {StandardTree} from "./support/StandardTree.sol";

/// @notice Batches, single claims, epochs of any of them, disputes, and claims of epochs, in any order. What each account
/// is owed and what it may have from the trees is counted here, apart from the contracts.
contract EpochHandler is Fixture {
    uint256 public constant PEOPLE = 6;
    uint256 private constant WORKERS = 2;

    bool private immutable _HOSTILE;
    uint256 public hostileRoots;
    uint256 public paid; // by epochs, in all
    mapping(address => uint256) public owed; // by all batches
    Batch[] private _batches;
    address[][] private _accounts;
    uint256[][] private _amounts;

    uint32 private _id; // the epoch under way
    uint256[] private _held; // its batches
    uint256[PEOPLE] private _cumulative; // of the finalised tree
    uint256[PEOPLE] private _next; // of the proposed one

    constructor(bool hostile) {
        _HOSTILE = hostile;
        setUp();
        bytes32 role = epochs.DISPUTE_ROLE();
        vm.prank(admin);
        epochs.grantRole(role, admin);
        deposit(requester, 1_000_000 ether);
        for (uint256 i = 0; i < WORKERS; ++i) {
            bond(vm.addr(0x100 + i), 1000 * minStake);
        }
    }

    function contracts() external view returns (AttributionSettlement, EpochDistributor) {
        return (settlement, epochs);
    }

    function person(uint256 i) public pure returns (address) {
        return address(uint160(0xABC000 + i));
    }

    function batches() external view returns (uint256) {
        return _batches.length;
    }

    function batch(uint256 i) external view returns (address, uint64) {
        return (_batches[i].worker, _batches[i].nonce);
    }

    function beneficiary() external view returns (address) {
        return address(treasury);
    }

    function live() external view returns (uint32) {
        return _id;
    }

    // ---- batches ----

    function settle(uint256 which, uint256 seed) external {
        address w = vm.addr(0x100 + which % WORKERS);
        uint256 n = 1 + seed % PEOPLE;
        address[] memory accounts = new address[](n);
        uint256[] memory amounts = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            accounts[i] = person(PEOPLE - n + i);
            amounts[i] = 1 + uint256(keccak256(abi.encode(seed, i))) % 1 ether;
            owed[accounts[i]] += amounts[i];
        }
        Batch memory b = batchOf(w, settlement.nextNonce(w), accounts, amounts);
        Voucher memory v = Voucher(requester, w, escrow.drawnOf(requester, w) + b.total, uint64(block.timestamp + 1));
        SignedVoucher[] memory vs = one(signed(v, REQUESTER_KEY));
        vm.prank(w);
        settlement.submitBatch(b, vs);
        _batches.push(b);
        _accounts.push(accounts);
        _amounts.push(amounts);
        if (seed % 3 == 0) vm.warp(block.timestamp + window);
    }

    function claim(uint256 which, uint256 index) external {
        if (_batches.length == 0) return;
        which = which % _batches.length;
        if (!_claimable(which)) return;
        Claim[] memory cs = new Claim[](1);
        cs[0] = claimOf(_batches[which], _accounts[which], _amounts[which], uint32(index % _accounts[which].length));
        settlement.claimMany(cs);
    }

    // ---- epochs ----

    function build(uint256 from, uint256 n) external {
        if (_batches.length == 0) return;
        if (_id != 0 && _stage() != EpochDistributor.Stage.Building) return;
        if (_id != 0 && block.timestamp >= epochs.epochOf(_id).deadline) return;
        BatchRef[] memory list = new BatchRef[](1 + n % 5);
        uint256 size = 0;
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 at = (from % _batches.length + i) % _batches.length;
            AttributionSettlement.BatchView memory b = settlement.batchOf(_batches[at].worker, _batches[at].nonce);
            if (!_claimable(at) || b.status == AttributionSettlement.Status.Swept) continue;
            if (!b.held && b.claimed < b.total && !_picked(list, size, at)) _held.push(at);
            list[size++] = BatchRef(_batches[at].worker, _batches[at].nonce);
        }
        assembly ("memory-safe") {
            mstore(list, size)
        }
        if (_id != 0) {
            epochs.add(_id, list);
            return;
        }
        vm.deal(address(this), epochBond);
        _id = epochs.open{value: epochBond}(list);
    }

    function commit(uint256 lie) external {
        if (_id == 0 || _stage() != EpochDistributor.Stage.Building || _held.length == 0) return;
        if (block.timestamp >= epochs.epochOf(_id).deadline) return;
        _next = _cumulative;
        for (uint256 i = 0; i < _held.length; ++i) {
            Batch memory b = _batches[_held[i]];
            for (uint32 j = 0; j < b.count; ++j) {
                if (settlement.isClaimed(b.worker, b.nonce, j)) continue;
                _next[uint160(_accounts[_held[i]][j]) - 0xABC000] += _amounts[_held[i]][j];
            }
        }
        if (_HOSTILE && lie % 2 == 0) {
            _next[lie % PEOPLE] += 1 + lie % 10 ether;
            ++hostileRoots;
        }
        epochs.commit(_id, _tree(_next)[0], keccak256("document"));
    }

    function dispute(bool valid) external {
        if (_id == 0) return;
        EpochDistributor.Epoch memory e = epochs.epochOf(_id);
        if (e.stage == EpochDistributor.Stage.Proposed && !e.upheld && block.timestamp < e.deadline) {
            vm.prank(admin);
            epochs.freeze(_id);
        } else if (e.stage == EpochDistributor.Stage.Disputed) {
            vm.prank(admin);
            epochs.resolve(_id, valid, address(treasury));
            if (!valid) _forget();
        }
    }

    function abandon() external {
        if (_id == 0 || _stage() != EpochDistributor.Stage.Building) return;
        if (block.timestamp < epochs.epochOf(_id).deadline) return;
        epochs.abandon(_id);
        _forget();
    }

    function finalise(uint256 n) external {
        if (_id == 0) return;
        EpochDistributor.Epoch memory e = epochs.epochOf(_id);
        if (e.stage != EpochDistributor.Stage.Proposed || block.timestamp < e.deadline) return;
        uint256 left = e.count - e.sweptCount;
        n = 1 + n % left;
        BatchRef[] memory list = new BatchRef[](n);
        for (uint256 i = 0; i < n; ++i) {
            Batch memory b = _batches[_held[left - 1 - i]]; // from the end, where those not swept are
            list[i] = BatchRef(b.worker, b.nonce);
        }
        if (epochs.finalise(_id, list)) {
            _cumulative = _next;
            _forget();
        }
    }

    function collect(uint256 who) external {
        address account = who % 2 == 0 ? address(this) : address(treasury);
        if (epochs.creditOf(account) != 0) epochs.collect(account);
    }

    function receiveEpoch(uint256 who) external {
        address account = person(who % PEOPLE);
        uint256 amount = _cumulative[who % PEOPLE];
        uint256 had = epochs.claimedOf(account);
        if (amount <= had) return;
        (, uint256 total,) = epochs.distribution();
        if (amount - had > total - paid) return; // a lie that was not disputed
        paid += epochs.claim(
            account, amount, StandardTree.proof(_tree(_cumulative), StandardTree.leaf(account, amount))
        );
    }

    /// For any of the people in one call, the same one twice and those that have had theirs among them.
    function receiveMany(uint256 n, uint256 seed) external {
        EpochClaim[] memory claims = new EpochClaim[](n % (PEOPLE + 2));
        uint256 due = 0;
        uint256 seen = 0;
        bytes32[] memory t = _tree(_cumulative);
        (bytes32 root, uint256 total,) = epochs.distribution();
        if (root != t[0]) return; // no epoch was finalised yet
        for (uint256 i = 0; i < claims.length; ++i) {
            uint256 who = uint256(keccak256(abi.encode(seed, i))) % PEOPLE;
            (address account, uint256 amount) = (person(who), _cumulative[who]);
            claims[i] = EpochClaim(account, amount, StandardTree.proof(t, StandardTree.leaf(account, amount)));
            if (seen & (1 << who) == 0 && amount > epochs.claimedOf(account)) {
                due += amount - epochs.claimedOf(account);
            }
            seen |= 1 << who;
        }
        if (due > total - paid) return; // a lie that was not disputed
        vm.assertEq(epochs.claimMany(claims), due);
        paid += due;
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + seconds_ % (2 * buildWindow));
    }

    receive() external payable {}

    // ---- at the end ----

    /// Brings what is under way to its end, makes an epoch of all that is left, and claims it for everybody.
    function drain() external {
        if (_id != 0) {
            if (_stage() == EpochDistributor.Stage.Disputed) {
                this.dispute(true);
            }
            vm.warp(block.timestamp + buildWindow + epochWindow);
            this.abandon();
            while (_id != 0) {
                this.finalise(type(uint256).max - 1);
            }
        }
        vm.warp(block.timestamp + window);
        for (uint256 i = 0; i < _batches.length; ++i) {
            this.build(i, 0);
        }
        if (_held.length != 0) {
            this.commit(1);
            vm.warp(block.timestamp + epochWindow);
            while (_id != 0) {
                this.finalise(type(uint256).max - 1);
            }
        }
        for (uint256 i = 0; i < PEOPLE; ++i) {
            this.receiveEpoch(i);
        }
    }

    // ---- inside ----

    function _stage() private view returns (EpochDistributor.Stage) {
        return epochs.epochOf(_id).stage;
    }

    function _claimable(uint256 at) private view returns (bool) {
        return block.timestamp >= settlement.batchOf(_batches[at].worker, _batches[at].nonce).claimableAt;
    }

    function _picked(BatchRef[] memory list, uint256 size, uint256 at) private view returns (bool) {
        for (uint256 i = 0; i < size; ++i) {
            if (list[i].worker == _batches[at].worker && list[i].nonce == _batches[at].nonce) return true;
        }
        return false;
    }

    function _forget() private {
        delete _held;
        _id = 0;
    }

    /// Everybody has a leaf, those with nothing too: the same accounts in every epoch.
    function _tree(uint256[PEOPLE] storage sums) private view returns (bytes32[] memory) {
        address[] memory who = new address[](PEOPLE);
        uint256[] memory amounts = new uint256[](PEOPLE);
        for (uint256 i = 0; i < PEOPLE; ++i) {
            (who[i], amounts[i]) = (person(i), sums[i]);
        }
        return StandardTree.build(who, amounts);
    }
}

abstract contract EpochSolvency is Fixture {
    EpochHandler internal handler;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = EpochHandler.settle.selector;
        selectors[1] = EpochHandler.claim.selector;
        selectors[2] = EpochHandler.build.selector;
        selectors[3] = EpochHandler.commit.selector;
        selectors[4] = EpochHandler.dispute.selector;
        selectors[5] = EpochHandler.abandon.selector;
        selectors[6] = EpochHandler.finalise.selector;
        selectors[7] = EpochHandler.receiveEpoch.selector;
        selectors[8] = EpochHandler.collect.selector;
        selectors[9] = EpochHandler.pass.selector;
        selectors[10] = EpochHandler.receiveMany.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// Settlement holds what its batches have left; the distributor what came in and was not paid, and bonds. Every wei of
    /// every batch is in one of the three places.
    function _checkSolvency() internal view {
        uint256 left = 0;
        uint256 submitted = 0;
        for (uint256 i = 0; i < handler.batches(); ++i) {
            (address w, uint64 nonce) = handler.batch(i);
            AttributionSettlement.BatchView memory b = settlement.batchOf(w, nonce);
            vm.assertTrue(b.claimed <= b.total);
            left += b.total - b.claimed;
            submitted += b.total;
        }
        vm.assertEq(address(settlement).balance, left);
        (, uint256 total, uint256 paid) = epochs.distribution();
        vm.assertTrue(paid <= total);
        vm.assertEq(paid, handler.paid());
        EpochDistributor.Epoch memory e = epochs.epochOf(handler.live());
        bool open = handler.live() != 0;
        uint256 coming = open ? e.swept : 0;
        uint256 bonds = epochs.creditOf(address(handler)) + epochs.creditOf(handler.beneficiary());
        if (open) bonds += e.bond;
        vm.assertEq(address(epochs).balance, total - paid + coming + bonds);
        uint256 received = 0;
        for (uint256 i = 0; i < handler.PEOPLE(); ++i) {
            received += handler.person(i).balance;
        }
        vm.assertEq(received + left + total - paid + coming, submitted);
    }
}

/// @notice Every root is right: nobody has more than all batches owe it, and in the end everybody has exactly that.
contract HonestEpochsTest is EpochSolvency {
    function setUp() public override {
        handler = new EpochHandler(false);
        (settlement, epochs) = handler.contracts();
    }

    function invariant_Honest_SolventAndNoDoubleClaim() public view {
        _checkSolvency();
        for (uint256 i = 0; i < handler.PEOPLE(); ++i) {
            vm.assertTrue(handler.person(i).balance <= handler.owed(handler.person(i)));
        }
    }

    function afterInvariant() public {
        handler.drain();
        for (uint256 i = 0; i < handler.PEOPLE(); ++i) {
            vm.assertEq(handler.person(i).balance, handler.owed(handler.person(i)));
        }
        vm.assertEq(address(settlement).balance, 0);
    }
}

/// @notice Some roots are lies that nobody disputes: the money still adds up.
contract HostileEpochsTest is EpochSolvency {
    function setUp() public override {
        handler = new EpochHandler(true);
        (settlement, epochs) = handler.contracts();
    }

    function invariant_Hostile_Solvent() public view {
        _checkSolvency();
    }
}
