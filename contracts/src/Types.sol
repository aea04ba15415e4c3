// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

// Structs that travel between people, workers and contracts. Those with an EIP-712
// type string mirror the structs of Go's `protocol` package field by field.

/// @notice A requester's cumulative promise to one worker. The escrow pays `cumulative` minus what was already drawn.
/// @param expires Unix seconds; the voucher cannot be drawn after it.
struct Voucher {
    address requester;
    address worker;
    uint256 cumulative;
    uint64 expires;
}

/// @notice A voucher as settlement takes it: the worker is the batch's, and who signed, the requester or one of its session
/// keys, follows from the signature. Five words, since a batch has one of these for each of its requesters.
/// @param r of the signature over the whole voucher.
/// @param vs the rest of it, as EIP-2098 packs it.
struct SignedVoucher {
    address requester;
    uint256 cumulative;
    uint64 expires;
    bytes32 r;
    bytes32 vs;
}

/// @notice What a requester signs to be brought in by somebody who pays the deposit: it authorises a session key and sets
/// money aside for workers.
/// @param limit what the session key may spend in all.
/// @param expiry Unix seconds; the session ends then.
/// @param amount the deposit in wei, exactly.
/// @param workers for whom `amounts` of it, in the same order, are reserved.
/// @param nonce the requester's next one in the escrow.
/// @param deadline Unix seconds; it cannot be used after it.
struct Opening {
    address requester;
    address session;
    uint256 limit;
    uint64 expiry;
    uint256 amount;
    address[] workers;
    uint256[] amounts;
    uint256 nonce;
    uint64 deadline;
}

/// @notice Ties a peer to a worker's node key, owner and payout address. Signed by the owner.
/// @param issuedAt Unix milliseconds; a newer binding replaces an older one.
/// @param expires Unix milliseconds; the node key acts for the owner until then.
struct Binding {
    string peer;
    address nodeKey;
    address owner;
    address payout;
    uint64 issuedAt;
    uint64 expires;
}

/// @notice What an owner signs to have an adapter trained and registered in its name.
/// @param root CID of the datanet version.
/// @param access price per inference in wei.
/// @param royaltyBps what the owner asks of the owners of adapters derived from this one: a part of theirs, in basis points.
/// @param revision its next number under this name, from 1.
/// @param parents digests of the adapters it is derived from, ascending.
/// @param deadline Unix seconds; the adapter cannot be registered after it.
struct TrainingOrder {
    address owner;
    string name;
    bytes32 base;
    uint64 datanet;
    uint32 version;
    string root;
    bytes32 hyperHash;
    uint256 access;
    uint16 royaltyBps;
    uint32 revision;
    bytes32[] parents;
    bytes32 nonce;
    uint64 deadline;
}

/// @notice What an owner signs to register an agent or to publish its next version.
/// @param agent its id; 0 to register one.
/// @param version its next number, from 1.
/// @param manifest CID of the manifest.
/// @param price wei per request.
/// @param deadline Unix seconds; it cannot be published after it.
struct AgentOrder {
    address owner;
    uint64 agent;
    uint32 version;
    string name;
    string manifest;
    uint256 price;
    uint64 deadline;
}

/// @notice What an owner signs to let a delegate act in its name, in place of what it was authorised for before.
/// @param scopes bits of what it is for (DelegateRegistry).
/// @param expiry Unix seconds; the delegate's authority ends then.
/// @param nonce the owner's next one in the registry of delegates.
/// @param deadline Unix seconds; it cannot be brought after it.
struct Delegation {
    address owner;
    address delegate;
    uint32 scopes;
    uint64 expiry;
    uint256 nonce;
    uint64 deadline;
}

/// @notice A contributor's signed offer of one record to one datanet.
struct Contribution {
    uint64 datanet;
    bytes32 record;
    address contributor;
    string license;
    uint64 at;
}

/// @notice A datanet owner's signed decision on one contribution.
struct Review {
    uint64 datanet;
    bytes32 record;
    string status;
    string reason;
    uint64 at;
}

/// @notice A worker's signed statement of one inference.
struct Receipt {
    bytes32 id;
    address requester;
    address worker;
    bytes32 base;
    bytes32 adapter;
    uint64 agent;
    uint32 agentVersion;
    uint64 datanet;
    bytes32 datanetRoot;
    uint32 promptTokens;
    uint32 outputTokens;
    uint256 compute;
    uint256 access;
    uint256 markup;
    bytes32 outputHash;
    bytes32 attributionRoot;
    bytes32 evidence;
    uint64 finishedAt;
}

/// @notice What a batch drew from one requester.
struct Draw {
    address requester;
    uint256 amount;
}

/// @notice A validator's judgement of a disputed batch or epoch. It holds for it as a whole, not only for what was
/// challenged.
/// @param dispute the dispute's number.
/// @param worker of the batch; the epoch distributor when an epoch is judged.
/// @param nonce of the batch, or the epoch's id.
/// @param dataDigest of the batch or epoch, so that a verdict says which document was judged.
/// @param reason what is wrong (see {DisputeCommittee}); 0 when not guilty.
struct Verdict {
    uint64 dispute;
    address worker;
    uint64 nonce;
    bytes32 dataDigest;
    bool guilty;
    uint8 reason;
}

/// @notice A worker's batch of receipts: the root and the total of a Merkle-sum tree of payouts.
/// @param nonce sequential per worker, from 0.
/// @param total sum of all payouts in wei.
/// @param count number of payouts (leaves).
/// @param dataDigest SHA2-256 of the batch document, which holds the receipts.
struct Batch {
    address worker;
    uint64 nonce;
    bytes32 root;
    uint256 total;
    uint32 count;
    bytes32 dataDigest;
}

/// @notice Names a batch.
struct BatchRef {
    address worker;
    uint64 nonce;
}

/// @notice One sibling on the way from a leaf to the root of a Merkle-sum tree.
struct ProofNode {
    bytes32 hash;
    uint256 sum;
}

/// @notice One payout of one batch, with its proof.
struct Claim {
    address worker;
    uint64 nonce;
    uint32 index;
    address account;
    uint256 amount;
    ProofNode[] proof;
}

/// @notice What all epochs owe to an account, with its proof.
/// @param cumulative the account's amount over all epochs.
struct EpochClaim {
    address account;
    uint256 cumulative;
    bytes32[] proof;
}

/// @notice How a fee is shared, in basis points. All four add up to 10000.
/// @param platformBps of compute and of access, to the treasury.
/// @param ownerPart of access, to the adapter's owner.
/// @param stakersPart of access, to those who stake on the worker.
/// @param contributorsPart of access, to those whose records were used.
struct Shares {
    uint16 platformBps;
    uint16 ownerPart;
    uint16 stakersPart;
    uint16 contributorsPart;
}

/// @notice How far lineages and the royalties along them may go.
/// @param royaltyBps most that one adapter asks of the owner of a derived one, in basis points.
/// @param totalBps most that the parents of one adapter ask together; less than everything, so that its owner keeps a part.
/// @param parents most that one adapter names.
/// @param depth longest way from an adapter to an ancestor without parents.
struct LineageRules {
    uint16 royaltyBps;
    uint16 totalBps;
    uint8 parents;
    uint8 depth;
}

/// @notice One step of an adapter's lineage: what the owner of a parent is owed of what the owner of the derived adapter
/// would have had.
/// @param adapter digest of the parent.
/// @param account its owner.
/// @param from who owes: 0 for the adapter that the list is of, k for the k-th entry of the list.
/// @param bps of what that one has before its own royalties, in basis points.
struct Royalty {
    bytes32 adapter;
    address account;
    uint16 from;
    uint16 bps;
}

/// @notice What being a validator takes.
/// @param minBond least bond with which a validator is drawn, in wei.
/// @param unbonding seconds between a validator's leaving and the release of its bond.
struct ValidatorRules {
    uint128 minBond;
    uint64 unbonding;
}

/// @notice Who judges a dispute.
/// @param seats members of a committee.
/// @param quorumBps part of the seats whose agreement decides, in basis points; more than half.
/// @param rounds committees that are drawn before a dispute ends without a verdict.
struct CommitteeRules {
    uint8 seats;
    uint16 quorumBps;
    uint8 rounds;
}

/// @notice How long the parts of a dispute may take.
/// @param drawDelay blocks between a challenge and the block whose hash is the seed.
/// @param drawing seconds for the draw.
/// @param voting seconds for the verdicts.
struct PeriodRules {
    uint16 drawDelay;
    uint64 drawing;
    uint64 voting;
}

/// @notice What a dispute costs and pays, in basis points.
/// @param slashBps of a guilty worker's slashable stake.
/// @param challengerBps of a slash or of a forfeited bond of an epoch, to the challenger.
/// @param signersBps of a slash, of such a bond or of a lost challenge's bond, to the members of the deciding quorum.
/// @param absenceBps of the bond of a member that gave no verdict.
struct PenaltyRules {
    uint16 slashBps;
    uint16 challengerBps;
    uint16 signersBps;
    uint16 absenceBps;
}
