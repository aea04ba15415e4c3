package store

import "github.com/openledger/openledger/protocol"

// Every table of this package, in the order of its number. A number stays with
// its meaning for ever; a changed meaning takes a new number.
var (
	receiptTable    = NewTable(1, "receipts", HashKey(), JSON[ReceiptRecord]())
	receiptByStatus = NewTable(2, "receipts by status", PairKey(StringKey[ReceiptStatus](), timeAndHash), Marks())
	voucherTable    = NewTable(3, "vouchers", accountPair, JSON[VoucherRecord]())
	batchTable      = NewTable(4, "batches", PairKey(AccountKey(), Uint64Key()), JSON[BatchRecord]())
	sequenceTable   = NewTable(5, "announcement sequences", StringKey[protocol.PeerID](), Counter())
	trainingTable   = NewTable(6, "training jobs", HashKey(), JSON[TrainingRecord]())
	checkpointTable = NewTable(7, "checkpoints", HashKey(), Bytes())
	diskTable       = NewTable(8, "adapters on disk", StringKey[protocol.CID](), JSON[DiskAdapter]())
	sendingTable    = NewTable(9, "transactions on their way", StringKey[string](), Bytes())

	keyTable        = NewTable(20, "API keys", HashKey(), JSON[APIKey]())
	jobTable        = NewTable(21, "jobs", HashKey(), JSON[JobRecord]())
	jobByTime       = NewTable(22, "jobs by time", timeAndHash, Marks())
	acceptedTable   = NewTable(23, "accepted receipts", HashKey(), JSON[AcceptedReceipt]())
	acceptedByTime  = NewTable(24, "accepted receipts by time", timeAndHash, Marks())
	cumulativeTable = NewTable(25, "cumulative vouchers", accountPair, JSON[protocol.SignedVoucher]())
	logProbTable    = NewTable(26, "log-probabilities of answers", HashKey(), JSON[[]protocol.TokenLogProbs]())
	faucetTable     = NewTable(27, "grants of the faucet", AccountKey(), JSON[FaucetGrant]())
	usageTable      = NewTable(28, "usage by key, day and model", PairKey(HashKey(), PairKey(Int64Key(), StringKey[string]())), JSON[Usage]())
	spendingTable   = NewTable(29, "spending by key", HashKey(), JSON[Spending]())
	paymentTable    = NewTable(37, "payments of single requests", HashKey(), JSON[PaymentRecord]())
	vectorTable     = NewTable(36, "vectors of records", HashKey(), JSON[[]float32]())

	fileTable   = NewTable(30, "uploaded files", HashKey(), JSON[FileRecord]())
	fileByOwner = NewTable(31, "uploaded files by account", ownedKey, Marks())
	tuneTable   = NewTable(32, "fine-tuning jobs", HashKey(), JSON[TuneRecord]())
	tuneByOwner = NewTable(33, "fine-tuning jobs by account", ownedKey, Marks())
	tuneEvents  = NewTable(34, "events of fine-tuning jobs", PairKey(HashKey(), Uint64Key()), JSON[TuneEvent]())
	tuneMetrics = NewTable(35, "metrics of fine-tuning jobs", PairKey(HashKey(), Uint64Key()), JSON[TuneMetric]())

	tallyTable     = NewTable(60, "sums of accepted receipts by hour", Int64Key(), JSON[Tally]())
	settledTable   = NewTable(61, "sums of settled batches by hour", Int64Key(), JSON[Settled]())
	settledBatches = NewTable(62, "settled batches", PairKey(AccountKey(), Uint64Key()), JSON[SettledBatch]())
	batchOfReceipt = NewTable(63, "batches of receipts", HashKey(), JSON[BatchID]())
	settledTo      = NewTable(64, "settled batches are noted to this block", Int64Key(), Counter())

	adapterTable = NewTable(40, "adapters", StringKey[protocol.CID](), JSON[AdapterRecord]())
	adapterName  = NewTable(41, "adapter names", PairKey(AccountKey(), StringKey[string]()), JSON[protocol.CID]())
	datanetTable = NewTable(42, "datanets", Uint64Key(), JSON[protocol.Datanet]())
	versionTable = NewTable(43, "datanet versions", PairKey(Uint64Key(), Uint64Key()), JSON[protocol.Version]())
)

var (
	timeAndHash = PairKey(Int64Key(), HashKey())
	ownedKey    = PairKey(AccountKey(), timeAndHash)
	accountPair = PairKey(AccountKey(), AccountKey())
)

// Worker is a worker's view of a database: receipts, vouchers, batches,
// announcement sequence, training jobs.
type Worker struct{ db *DB }

// NewWorker gives the worker's view of db.
func NewWorker(db *DB) *Worker { return &Worker{db: db} }

// Coordinator is a coordinator's view of a database: API keys, jobs, accepted
// receipts, cumulative vouchers.
type Coordinator struct{ db *DB }

// NewCoordinator gives the coordinator's view of db.
func NewCoordinator(db *DB) *Coordinator { return &Coordinator{db: db} }

// Catalog is what is known of adapters and datanets on the chain.
type Catalog struct{ db *DB }

// NewCatalog gives the catalog in db.
func NewCatalog(db *DB) *Catalog { return &Catalog{db: db} }
