package api

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/openledger/openledger/protocol"
)

// Scope is what an API key may be used for.
type Scope string

// The scopes.
const (
	ScopeInference Scope = "inference" // completions, embeddings, and what they need
	ScopeTraining  Scope = "training"  // files and fine-tuning
	ScopeDatanets  Scope = "datanets"  // datanets, in the account's name
	ScopeRead      Scope = "read"      // usage and account, and nothing that costs anything
	// ScopeAny is what an endpoint asks for that serves any valid key.
	ScopeAny Scope = "any"
	scopeOff Scope = "" // no key
)

// handler serves a request. The caller is zero where the route needs no API key.
type handler func(w http.ResponseWriter, r *http.Request, by Caller) error

// open makes a handler of one that is not interested in who calls.
func open(h func(w http.ResponseWriter, r *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request, _ Caller) error { return h(w, r) }
}

// route is one endpoint. Everything that is served is a row of Server.table, and is
// described under the same method, path and operation ID in openapi.yaml; a test holds
// the two together.
type route struct {
	method, pattern string
	operation       string // operationId
	scope           Scope  // that its API key needs; "" needs no key
	limit           int64  // bytes of the request's body; 0 is Config.MaxBody
	serve           handler
}

// table lists every endpoint.
func (s *Server) table() []route {
	table := []route{
		{"GET", "/v1/models", "listModels", ScopeAny, 0, s.listModels},
		{"GET", "/v1/models/{id...}", "getModel", ScopeAny, 0, s.getModel},
		{"POST", "/v1/chat/completions", "createChatCompletion", ScopeInference, 0, s.chatCompletions},
		{"POST", "/v1/completions", "createCompletion", ScopeInference, 0, s.completions},
		{"POST", "/v1/embeddings", "createEmbedding", ScopeInference, 0, s.embeddings},

		{"POST", "/v1/files", "uploadFile", ScopeTraining, MaxFileBytes + formBytes, s.uploadFile},
		{"GET", "/v1/files", "listFiles", ScopeTraining, 0, s.listFiles},
		{"GET", "/v1/files/{id}", "getFile", ScopeTraining, 0, s.getFile},
		{"GET", "/v1/files/{id}/content", "getFileContent", ScopeTraining, 0, s.fileContent},
		{"DELETE", "/v1/files/{id}", "deleteFile", ScopeTraining, 0, s.deleteFile},
		{"POST", "/v1/fine_tuning/jobs", "createFineTune", ScopeTraining, 0, s.createFineTune},
		{"GET", "/v1/fine_tuning/jobs", "listFineTunes", ScopeTraining, 0, s.listFineTunes},
		{"GET", "/v1/fine_tuning/jobs/{id}", "getFineTune", ScopeTraining, 0, s.getFineTune},
		{"POST", "/v1/fine_tuning/jobs/{id}/cancel", "cancelFineTune", ScopeTraining, smallBody, s.controlFineTune(s.cfg.FineTuning.CancelFineTune)},
		{"POST", "/v1/fine_tuning/jobs/{id}/pause", "pauseFineTune", ScopeTraining, smallBody, s.controlFineTune(s.cfg.FineTuning.PauseFineTune)},
		{"POST", "/v1/fine_tuning/jobs/{id}/resume", "resumeFineTune", ScopeTraining, smallBody, s.controlFineTune(s.cfg.FineTuning.ResumeFineTune)},
		{"GET", "/v1/fine_tuning/jobs/{id}/events", "listFineTuneEvents", ScopeTraining, 0, s.fineTuneEvents},
		{"GET", "/v1/fine_tuning/jobs/{id}/checkpoints", "listFineTuneCheckpoints", ScopeTraining, 0, s.fineTuneCheckpoints},

		{"GET", "/api/v1/network", "getNetwork", scopeOff, 0, open(s.network)},
		{"GET", "/api/v1/stats", "getStats", scopeOff, 0, open(s.stats)},
		{"GET", "/api/v1/events", "listEvents", scopeOff, 0, open(s.events)},
		{"GET", "/api/v1/workers", "listWorkers", scopeOff, 0, open(s.workers)},
		{"POST", "/api/v1/rpc", "callRPC", scopeOff, maxRPCBody, open(s.rpc)},
		{"POST", "/api/v1/faucet", "drip", scopeOff, smallBody, open(s.drip)},
		{"POST", "/api/v1/keys", "createKey", scopeOff, smallBody, open(s.issueKey)},
		{"POST", "/api/v1/keys/list", "listKeys", scopeOff, smallBody, open(s.listKeys)},
		{"POST", "/api/v1/keys/usage", "getAccountUsage", scopeOff, smallBody, open(s.accountUsage)},
		{"POST", "/api/v1/keys/{id}/revoke", "revokeKey", scopeOff, smallBody, open(s.revokeKey)},
		{"POST", "/api/v1/keys/{id}/rotate", "rotateKey", scopeOff, smallBody, open(s.rotateKey)},
		{"GET", "/api/v1/usage", "getUsage", ScopeRead, 0, s.usageOf},
		{"GET", "/api/v1/models", "listAllModels", scopeOff, 0, open(s.models)},
		{"POST", "/api/v1/adapters/{id}/{action}", "orderAdapter", ScopeInference, smallBody, s.orderAdapter},
		{"GET", "/api/v1/adapters/{id}/evaluation", "getEvaluation", scopeOff, 0, open(s.report)},

		{"GET", "/api/v1/datanets", "listDatanets", scopeOff, 0, open(s.datanets)},
		{"GET", "/api/v1/datanets/{id}", "getDatanet", scopeOff, 0, open(s.datanet)},
		{"GET", "/api/v1/datanets/{id}/contributions", "listContributions", scopeOff, 0, open(s.contributions)},
		{"POST", "/api/v1/datanets/{id}/contributions", "contribute", scopeOff, 0, open(s.contribute)},
		{"POST", "/api/v1/datanets/{id}/contributions/batch", "contributeBatch", scopeOff, batchBody, open(s.contributeBatch)},
		{"POST", "/api/v1/datanets/{id}/reviews", "review", scopeOff, 0, open(s.review)},
		{"POST", "/api/v1/datanets/{id}/reviews/batch", "reviewBatch", scopeOff, batchBody, open(s.reviewBatch)},
		{"POST", "/api/v1/datanets/{id}/uploads", "upload", ScopeDatanets, maxUpload + 1, s.upload},
		{"GET", "/api/v1/formats", "listFormats", scopeOff, 0, open(s.formats)},
		{"GET", "/api/v1/uploads/{upload}", "getUpload", ScopeDatanets, 0, s.getUpload},
		{"DELETE", "/api/v1/uploads/{upload}", "deleteUpload", ScopeDatanets, 0, s.deleteUpload},
		{"POST", "/api/v1/datanets/{id}/search", "searchDatanet", ScopeAny, smallBody, s.searchDatanet},
		{"GET", "/api/v1/datanets/{id}/contributors", "listContributors", scopeOff, 0, open(s.contributors)},
		{"GET", "/api/v1/datanets/{id}/limits", "getLimits", scopeOff, 0, open(s.datanetLimits)},
		{"PUT", "/api/v1/datanets/{id}/limits", "setLimits", scopeOff, smallBody, open(s.setDatanetLimits)},
		{"GET", "/api/v1/datanets/{id}/versions", "listVersions", scopeOff, 0, open(s.versions)},
		{"POST", "/api/v1/datanets/{id}/versions", "buildVersion", scopeOff, 0, open(s.buildVersion)},
		{"GET", "/api/v1/datanets/{id}/versions/{version}/car", "exportVersion", scopeOff, 0, open(s.exportCAR)},
		{"GET", "/api/v1/datanets/{id}/versions/{version}/records", "listRecords", scopeOff, 0, open(s.versionRecords)},
		{"GET", "/api/v1/datanets/{id}/versions/{version}/diff", "diffVersions", scopeOff, 0, open(s.versionDiff)},
		{"GET", "/api/v1/records/{cid}", "getRecord", scopeOff, 0, open(s.record)},
		{"GET", "/api/v1/records/{cid}/content", "getRecordContent", scopeOff, 0, open(s.recordContent)},
		{"GET", "/api/v1/datanets/{id}/versions/{version}/embeddings", "getVersionEmbeddings", scopeOff, 0, open(s.embeddingStatus)},
		{"POST", "/api/v1/datanets/{id}/versions/{version}/embeddings", "embedVersion", ScopeInference, smallBody, s.embedVersion},

		{"GET", "/api/v1/agents", "listAgents", scopeOff, 0, open(s.agents)},
		{"GET", "/api/v1/agents/{id}", "getAgent", scopeOff, 0, open(s.agent)},
		{"POST", "/api/v1/agents/manifest", "draftManifest", scopeOff, 2 * maxManifest, open(s.draftManifest)},
		{"POST", "/api/v1/agents/{id}/versions/{version}/manifest", "storeManifest", scopeOff, 0, open(s.storeManifest)},

		{"POST", "/api/v1/quotes", "quote", scopeOff, 0, open(s.quote)},

		{"GET", "/api/v1/samples", "listSamples", scopeOff, 0, open(s.samples)},
		{"GET", "/api/v1/samples/{name}", "getSample", scopeOff, 0, open(s.sample)},

		{"GET", "/api/v1/training_options", "getTrainingOptions", scopeOff, 0, open(s.trainingOptions)},
		{"GET", "/api/v1/training_jobs", "listTrainingJobs", scopeOff, 0, open(s.trainingJobs)},
		{"POST", "/api/v1/training_jobs", "startTraining", scopeOff, 0, open(s.startTraining)},
		{"GET", "/api/v1/training_jobs/{id}", "getTrainingJob", scopeOff, 0, open(s.trainingJob)},
		{"POST", "/api/v1/training_jobs/{id}/cancel", "cancelTraining", scopeOff, smallBody, open(s.controlTraining(s.cfg.Training.CancelTraining))},
		{"POST", "/api/v1/training_jobs/{id}/pause", "pauseTraining", scopeOff, smallBody, open(s.controlTraining(s.cfg.Training.PauseTraining))},
		{"POST", "/api/v1/training_jobs/{id}/resume", "resumeTraining", scopeOff, smallBody, open(s.controlTraining(s.cfg.Training.ResumeTraining))},

		{"GET", "/api/v1/receipts", "listReceipts", scopeOff, 0, open(s.receipts)},
		{"GET", "/api/v1/receipts/{id}", "getReceipt", scopeOff, 0, open(s.receipt)},
		{"GET", "/api/v1/receipts/{id}/attribution", "explainReceipt", scopeOff, 0, open(s.explain)},
		{"POST", "/api/v1/receipts/{id}/verify", "verifyReceipt", scopeOff, smallBody, open(s.verifyReceipt)},
		{"GET", "/api/v1/accounts/{address}", "getAccount", scopeOff, 0, open(s.account)},
		{"GET", "/api/v1/accounts/{address}/earnings", "listEarnings", scopeOff, 0, open(s.earnings)},
		{"GET", "/api/v1/governance", "getGovernance", scopeOff, 0, open(s.governance)},
		{"GET", "/api/v1/governance/settings", "listSettings", scopeOff, 0, open(s.settings)},
		{"GET", "/api/v1/governance/settings/{name}/call", "getSettingCall", scopeOff, 0, open(s.settingCall)},
		{"GET", "/api/v1/batches", "listBatches", scopeOff, 0, open(s.batches)},
		{"GET", "/api/v1/batches/{worker}/{nonce}", "getBatch", scopeOff, 0, open(s.batch)},
		{"GET", "/api/v1/disputes", "listDisputes", scopeOff, 0, open(s.disputes)},
		{"GET", "/api/v1/disputes/{id}", "getDispute", scopeOff, 0, open(s.dispute)},
		{"GET", "/api/v1/blocks/{digest}", "getBlock", scopeOff, 0, open(s.block)},

		{"GET", "/api/openapi.json", "getOpenAPI", scopeOff, 0, open(s.openAPIJSON)},
		{"GET", "/api/openapi.yaml", "getOpenAPIYAML", scopeOff, 0, open(s.openAPIYAML)},
		{"GET", "/healthz", "isAlive", scopeOff, 0, open(s.alive)},
		{"GET", "/readyz", "isReady", scopeOff, 0, open(s.ready)},
	}
	if s.cfg.MCP != nil {
		table = append(table, route{"POST", "/mcp", "callMCP", ScopeAny, 0, s.callMCP})
	}
	if s.cfg.Metrics != nil {
		table = append(table, route{"GET", "/metrics", "getMetrics", scopeOff, 0, open(s.metrics)})
	}
	return table
}

// smallBody bounds bodies of a few fields.
const smallBody = 64 << 10

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	if s.cfg.MCP != nil {
		s.mcp = s.cfg.MCP(mux)
	}
	for _, e := range s.table() {
		mux.HandleFunc(e.method+" "+e.pattern, s.endpoint(e))
	}
	nowhere := s.endpoint(route{serve: open(func(_ http.ResponseWriter, r *http.Request) error {
		return protocol.Errorf(protocol.KindNotFound, "path", "there is no %s %s here; docs/api.md and /api/openapi.json list the endpoints", r.Method, r.URL.Path)
	})})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Every other path is a page of the web application, which has its own router.
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/v1/") {
			s.web.ServeHTTP(w, r)
			return
		}
		nowhere(w, r)
	})
	return mux
}

// endpoint serves one route: it bounds the body, asks for the API key, and renders errors.
func (s *Server) endpoint(e route) http.HandlerFunc {
	limit := e.limit
	if limit == 0 {
		limit = s.cfg.MaxBody
	}
	return func(w http.ResponseWriter, r *http.Request) {
		body := r.Body
		r.Body = http.MaxBytesReader(w, body, limit)
		w.Header().Set(requestIDHeader, newRequestID())
		var by Caller
		var err error
		if signed := r.Header.Get(SignedHeader); signed != "" && e.scope == ScopeDatanets {
			by, err = s.signed(signed)
		} else if e.scope != scopeOff {
			by, err = s.caller(w, r, payable[e.operation])
			if err == nil && by.tab == nil {
				err = by.allows(e.scope)
			}
			if err == nil {
				err = s.limits.request(w.Header(), &by)
			}
		}
		if err == nil {
			defer by.tab.close()
			err = by.tab.explain(e.serve(w, r, by))
		}
		if err != nil {
			r.Body = body // so that the server does not ask for a body that was refused unread
			s.writeError(w, r, err)
		}
	}
}

// requestIDHeader names the header with which an answer can be found in the log.
const requestIDHeader = "X-Request-Id"

func newRequestID() string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	return "req_" + hex.EncodeToString(id[:])
}

// caller finds out who sends a request that needs an API key, or, where that is possible,
// a payment.
func (s *Server) caller(w http.ResponseWriter, r *http.Request, payable bool) (Caller, error) {
	if payable && s.cfg.Payments != nil {
		if unkeyed(r) {
			return s.payer(r)
		}
		if r.Header.Get(PaymentSignatureHeader) != "" {
			return Caller{}, badPayment("", "there is an API key, too: send one of them")
		}
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if key = strings.TrimSpace(key); !strings.EqualFold(scheme, "Bearer") || key == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return Caller{}, protocol.Errorf(protocol.KindUnauthorized, "", "no API key: send the header 'Authorization: Bearer KEY'; 'openledger coordinator key' issues one")
	}
	return s.cfg.Inference.Authenticate(r.Context(), key)
}
