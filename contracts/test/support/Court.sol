// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../../src/AttributionSettlement.sol";
import {DisputeCommittee} from "../../src/DisputeCommittee.sol";
import {Batch, Draw, ProofNode, SignedVoucher, Verdict} from "../../src/Types.sol";
import {Fixture} from "./Fixture.sol";

/// @notice A worker with batches, validators with keys, and a challenger.
abstract contract Court is Fixture {
    uint256 internal constant VALIDATOR_KEY = 0xD000;
    uint256 internal constant VALIDATORS = 7;

    address internal challenger = address(uint160(0xC4A1));
    address[] internal accounts;
    uint256[] internal amounts;

    function setUp() public virtual override {
        super.setUp();
        vm.roll(100);
        bond(worker, minStake);
        register();
        deposit(requester, 10 * minStake);
        accounts = [address(treasury), payout, owner];
        amounts = [1 ether, 6 ether, 3 ether];
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            enrol(i, validators.rules().minBond);
        }
    }

    function validator(uint256 i) internal pure returns (address) {
        return vm.addr(VALIDATOR_KEY + i);
    }

    function keyOf(address member) internal pure returns (uint256) {
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            if (validator(i) == member) return VALIDATOR_KEY + i;
        }
        revert("no validator");
    }

    function enrol(uint256 i, uint256 amount) internal {
        address v = validator(i);
        vm.deal(v, v.balance + amount);
        vm.prank(v);
        validators.join{value: amount}();
    }

    /// @dev The worker's next batch: 10 OPEN from the requester.
    function submit() internal returns (Batch memory b) {
        return submit(amounts);
    }

    function submit(uint256[] memory parts) internal returns (Batch memory b) {
        b = batchOf(worker, settlement.nextNonce(worker), accounts, parts);
        SignedVoucher[] memory vs = one(signed(voucher(escrow.drawnOf(requester, worker) + b.total), REQUESTER_KEY));
        vm.prank(worker);
        settlement.submitBatch(b, vs);
    }

    function challenge(uint64 nonce, uint8 reason) internal returns (uint64) {
        uint256 price = disputes.bondFor(worker, nonce);
        vm.deal(challenger, challenger.balance + price);
        vm.prank(challenger);
        return disputes.challenge{value: price}(worker, nonce, reason, keccak256("evidence"));
    }

    /// @dev Draws with a block hash of our choice.
    function drawWith(uint64 id, bytes32 hash) internal {
        uint48 at = disputes.disputeOf(id).drawBlock;
        if (block.number <= at) vm.roll(at + 1);
        vm.setBlockhash(at, hash);
        disputes.draw(id);
    }

    function draw(uint64 id) internal {
        drawWith(id, keccak256(abi.encode("block", id, disputes.disputeOf(id).round)));
    }

    function verdictOf(uint64 id, bool guilty, uint8 reason) internal view returns (bytes32) {
        DisputeCommittee.Dispute memory d = disputes.disputeOf(id);
        return disputes.verdictDigest(Verdict(id, d.worker, d.nonce, d.dataDigest, guilty, reason));
    }

    function vote(uint64 id, address member, bool guilty, uint8 reason) internal {
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](1));
        signers[0] = member;
        signatures[0] = sign(keyOf(member), verdictOf(id, guilty, reason));
        disputes.submitVerdicts(id, guilty, reason, signers, signatures);
    }

    /// @dev As many members say the same as it takes.
    function decideAll(uint64 id, bool guilty, uint8 reason) internal {
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        uint256 quorum = disputes.disputeOf(id).quorum;
        (address[] memory signers, bytes[] memory signatures) = (new address[](quorum), new bytes[](quorum));
        bytes32 digest = verdictOf(id, guilty, reason);
        for (uint256 i = 0; i < quorum; ++i) {
            signers[i] = seats[i].member;
            signatures[i] = sign(keyOf(signers[i]), digest);
        }
        disputes.submitVerdicts(id, guilty, reason, signers, signatures);
    }

    function draws(uint256 amount) internal view returns (Draw[] memory list) {
        list = new Draw[](1);
        list[0] = Draw(requester, amount);
    }

    /// @dev Of the first payout of {submit}'s batch.
    function claimProof() internal view returns (ProofNode[] memory) {
        return claimOf(batchOf(worker, 0, accounts, amounts), accounts, amounts, 0).proof;
    }

    function statusOf(uint64 nonce) internal view returns (AttributionSettlement.Status) {
        return settlement.batchOf(worker, nonce).status;
    }
}
