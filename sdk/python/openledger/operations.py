# Generated from coordinator/api/openapi.yaml by sdk/generate. Do not edit.
"""A method for each operation of the API, but for OpenAI's, which its own client has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, cast

from . import types
from .transport import AsyncTransport, Body, Event, Form, Transport, part


class Operations(Transport):
    """What the API does, one call at a time."""

    def get_network(self) -> "types.Network":
        """All that a client needs to join and to sign: `GET /api/v1/network`"""
        return cast("types.Network", self._json("GET", "/api/v1/network"))

    def list_workers(self) -> "types.ListWorkersResult":
        """Workers heard of lately: `GET /api/v1/workers`"""
        return cast("types.ListWorkersResult", self._json("GET", "/api/v1/workers"))

    def call_rpc(self, body: Any) -> "Any":
        """JSON-RPC of the chain's node, as far as a page needs it: `POST /api/v1/rpc`"""
        return cast("Any", self._json("POST", "/api/v1/rpc", body=body))

    def drip(self, body: types.DripBody) -> "types.DripResult":
        """Fund an account of a development network: `POST /api/v1/faucet`"""
        return cast("types.DripResult", self._json("POST", "/api/v1/faucet", body=body))

    def create_key(self, body: types.KeyRequest) -> "types.IssuedKey":
        """An API key that spends the escrow of the account that signs: `POST /api/v1/keys`"""
        return cast("types.IssuedKey", self._json("POST", "/api/v1/keys", body=body))

    def list_keys(self, body: types.ListKeysBody) -> "types.ListKeysResult":
        """An account's API keys, the newest first, without their secrets: `POST /api/v1/keys/list`"""
        return cast("types.ListKeysResult", self._json("POST", "/api/v1/keys/list", body=body))

    def get_account_usage(self, body: types.GetAccountUsageBody) -> "types.GetAccountUsageResult":
        """What all API keys of an account were used for, by UTC day, key and model: `POST /api/v1/keys/usage`"""
        return cast("types.GetAccountUsageResult", self._json("POST", "/api/v1/keys/usage", body=body))

    def revoke_key(self, id: types.HashParameter, body: types.RevokeKeyBody) -> "types.Key":
        """End an API key: `POST /api/v1/keys/{id}/revoke`"""
        return cast("types.Key", self._json("POST", f"/api/v1/keys/{part(id)}/revoke", body=body))

    def rotate_key(self, id: types.HashParameter, body: types.RotateKeyBody) -> "types.IssuedKey":
        """Give an API key a new secret; what it spent still counts: `POST /api/v1/keys/{id}/rotate`"""
        return cast("types.IssuedKey", self._json("POST", f"/api/v1/keys/{part(id)}/rotate", body=body))

    def get_usage(self, *, days: int | None = None) -> "types.GetUsageResult":
        """What the API key was used for, by UTC day and model: `GET /api/v1/usage`"""
        return cast("types.GetUsageResult", self._json("GET", "/api/v1/usage", query={"days": days}, keyed=True))

    def list_all_models(self) -> "types.ListAllModelsResult":
        """The base and the registered adapters, without an API key: `GET /api/v1/models`"""
        return cast("types.ListAllModelsResult", self._json("GET", "/api/v1/models"))

    def order_adapter(self, id: str, action: Literal['load', 'pin', 'unpin', 'unload'], body: types.OrderAdapterBody | None = None) -> "types.OrderAdapterResult":
        """Have workers load, pin, unpin or unload an adapter: `POST /api/v1/adapters/{id}/{action}`"""
        return cast("types.OrderAdapterResult", self._json("POST", f"/api/v1/adapters/{part(id)}/{part(action)}", body=body, keyed=True))

    def get_evaluation(self, id: str) -> "types.TrainingReport":
        """How an adapter does on the records that its training held out: `GET /api/v1/adapters/{id}/evaluation`"""
        return cast("types.TrainingReport", self._json("GET", f"/api/v1/adapters/{part(id)}/evaluation"))

    def list_datanets(self, *, q: str | None = None, license: str | None = None, owner: types.Account | None = None, limit: int | None = None, cursor: str | None = None) -> "types.ListDatanetsResult":
        """All datanets, or those that match: `GET /api/v1/datanets`"""
        return cast("types.ListDatanetsResult", self._json("GET", "/api/v1/datanets", query={"q": q, "license": license, "owner": owner, "limit": limit, "cursor": cursor}))

    def get_datanet(self, id: types.Uint64) -> "types.Datanet":
        """One datanet: `GET /api/v1/datanets/{id}`"""
        return cast("types.Datanet", self._json("GET", f"/api/v1/datanets/{part(id)}"))

    def list_contributions(self, id: types.Uint64, *, status: Literal['', 'pending', 'accepted', 'rejected', 'abusive'] | None = None, limit: int | None = None, cursor: str | None = None) -> "types.ListContributionsResult":
        """Contributions with the owner's decisions: `GET /api/v1/datanets/{id}/contributions`"""
        return cast("types.ListContributionsResult", self._json("GET", f"/api/v1/datanets/{part(id)}/contributions", query={"status": status, "limit": limit, "cursor": cursor}))

    def contribute(self, id: types.Uint64, body: types.ContributeBody) -> "types.ContributionStatus":
        """Offer one record, signed by its contributor: `POST /api/v1/datanets/{id}/contributions`"""
        return cast("types.ContributionStatus", self._json("POST", f"/api/v1/datanets/{part(id)}/contributions", body=body))

    def review(self, id: types.Uint64, body: types.SignedReview) -> "types.ContributionStatus":
        """The owner's signed decision on one contribution: `POST /api/v1/datanets/{id}/reviews`"""
        return cast("types.ContributionStatus", self._json("POST", f"/api/v1/datanets/{part(id)}/reviews", body=body))

    def contribute_batch(self, id: types.Uint64, body: types.ContributeBatchBody) -> "types.BatchResults":
        """Offer many records with one signature: `POST /api/v1/datanets/{id}/contributions/batch`"""
        return cast("types.BatchResults", self._json("POST", f"/api/v1/datanets/{part(id)}/contributions/batch", body=body))

    def review_batch(self, id: types.Uint64, body: types.ReviewBatchBody) -> "types.BatchResults":
        """The owner's decisions on many contributions with one signature: `POST /api/v1/datanets/{id}/reviews/batch`"""
        return cast("types.BatchResults", self._json("POST", f"/api/v1/datanets/{part(id)}/reviews/batch", body=body))

    def upload(self, id: types.Uint64, body: Body, *, name: str | None = None) -> "types.UploadResult":
        """Upload files to contribute: `POST /api/v1/datanets/{id}/uploads`"""
        return cast("types.UploadResult", self._json("POST", f"/api/v1/datanets/{part(id)}/uploads", body=body, media="application/octet-stream", query={"name": name}, keyed=True))

    def get_upload(self, upload: str, *, limit: int | None = None, cursor: str | None = None) -> "types.GetUploadResult":
        """An upload and the records that it would contribute: `GET /api/v1/uploads/{upload}`"""
        return cast("types.GetUploadResult", self._json("GET", f"/api/v1/uploads/{part(upload)}", query={"limit": limit, "cursor": cursor}, keyed=True))

    def delete_upload(self, upload: str) -> "None":
        """Let go of an upload; what was contributed from it stays: `DELETE /api/v1/uploads/{upload}`"""
        return self._none("DELETE", f"/api/v1/uploads/{part(upload)}", keyed=True)

    def list_contributors(self, id: types.Uint64) -> "types.ListContributorsResult":
        """Who gave something to a datanet, how much was accepted, and what it earned: `GET /api/v1/datanets/{id}/contributors`"""
        return cast("types.ListContributorsResult", self._json("GET", f"/api/v1/datanets/{part(id)}/contributors"))

    def list_formats(self) -> "types.ListFormatsResult":
        """Kinds of files that can be contributed, and how large one may be: `GET /api/v1/formats`"""
        return cast("types.ListFormatsResult", self._json("GET", "/api/v1/formats"))

    def get_limits(self, id: types.Uint64) -> "types.DatanetLimits":
        """How much one contributor may give in a day: `GET /api/v1/datanets/{id}/limits`"""
        return cast("types.DatanetLimits", self._json("GET", f"/api/v1/datanets/{part(id)}/limits"))

    def set_limits(self, id: types.Uint64, body: types.DatanetLimits) -> "types.DatanetLimits":
        """Set how much one contributor may give in a day, signed by the owner: `PUT /api/v1/datanets/{id}/limits`"""
        return cast("types.DatanetLimits", self._json("PUT", f"/api/v1/datanets/{part(id)}/limits", body=body))

    def list_records(self, id: types.Uint64, version: types.Uint32, *, limit: int | None = None, cursor: str | None = None) -> "types.ListRecordsResult":
        """Records of a version: `GET /api/v1/datanets/{id}/versions/{version}/records`"""
        return cast("types.ListRecordsResult", self._json("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/records", query={"limit": limit, "cursor": cursor}))

    def diff_versions(self, id: types.Uint64, version: types.Uint32, *, from_: types.Uint32 | None = None) -> "types.DiffVersionsResult":
        """How a version differs from an earlier one: `GET /api/v1/datanets/{id}/versions/{version}/diff`"""
        return cast("types.DiffVersionsResult", self._json("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/diff", query={"from": from_}))

    def get_record(self, cid: str) -> "types.Record":
        """A record with its text and where it was contributed: `GET /api/v1/records/{cid}`"""
        return cast("types.Record", self._json("GET", f"/api/v1/records/{part(cid)}"))

    def get_record_content(self, cid: str) -> "bytes":
        """What a record is about, as bytes: `GET /api/v1/records/{cid}/content`"""
        return self._bytes("GET", f"/api/v1/records/{part(cid)}/content")

    def list_versions(self, id: types.Uint64) -> "types.ListVersionsResult":
        """Published versions: `GET /api/v1/datanets/{id}/versions`"""
        return cast("types.ListVersionsResult", self._json("GET", f"/api/v1/datanets/{part(id)}/versions"))

    def build_version(self, id: types.Uint64) -> "types.Version":
        """Build the next version's blocks of what the owner accepted: `POST /api/v1/datanets/{id}/versions`"""
        return cast("types.Version", self._json("POST", f"/api/v1/datanets/{part(id)}/versions"))

    def export_version(self, id: types.Uint64, version: types.Uint32) -> "bytes":
        """A version as a content-addressed archive: `GET /api/v1/datanets/{id}/versions/{version}/car`"""
        return self._bytes("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/car")

    def get_version_embeddings(self, id: types.Uint64, version: types.Uint32) -> "types.EmbeddingStatus":
        """How far the vectors of a version's records are: `GET /api/v1/datanets/{id}/versions/{version}/embeddings`"""
        return cast("types.EmbeddingStatus", self._json("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/embeddings"))

    def embed_version(self, id: types.Uint64, version: types.Uint32) -> "types.EmbeddingStatus":
        """Have the missing vectors of a version's records made, paid by the API key's account: `POST /api/v1/datanets/{id}/versions/{version}/embeddings`"""
        return cast("types.EmbeddingStatus", self._json("POST", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/embeddings", keyed=True))

    def search_datanet(self, id: types.Uint64, body: types.Search) -> "types.SearchResult":
        """Records that have most to do with a question: `POST /api/v1/datanets/{id}/search`"""
        return cast("types.SearchResult", self._json("POST", f"/api/v1/datanets/{part(id)}/search", body=body, keyed=True))

    def list_agents(self, *, q: str | None = None, owner: types.Account | None = None) -> "types.ListAgentsResult":
        """Agents of the registry, retired ones too: `GET /api/v1/agents`"""
        return cast("types.ListAgentsResult", self._json("GET", "/api/v1/agents", query={"q": q, "owner": owner}))

    def get_agent(self, id: types.Uint64) -> "types.AgentPage":
        """An agent with its manifest and versions, and whether it can be asked: `GET /api/v1/agents/{id}`"""
        return cast("types.AgentPage", self._json("GET", f"/api/v1/agents/{part(id)}"))

    def draft_manifest(self, body: types.DraftManifestBody) -> "types.DraftManifestResult":
        """Check a manifest and get the bytes and the CID that its owner signs; nothing is stored: `POST /api/v1/agents/manifest`"""
        return cast("types.DraftManifestResult", self._json("POST", "/api/v1/agents/manifest", body=body))

    def store_manifest(self, id: types.Uint64, version: types.Uint32, body: types.StoreManifestBody) -> "types.StoreManifestResult":
        """Keep the manifest of a registered version of an agent: `POST /api/v1/agents/{id}/versions/{version}/manifest`"""
        return cast("types.StoreManifestResult", self._json("POST", f"/api/v1/agents/{part(id)}/versions/{part(version)}/manifest", body=body))

    def quote(self, body: types.QuoteRequest) -> "types.Quote":
        """What an inference or a training would cost, how long it may take, and who would do it: `POST /api/v1/quotes`"""
        return cast("types.Quote", self._json("POST", "/api/v1/quotes", body=body))

    def list_samples(self) -> "types.ListSamplesResult":
        """Files of records to begin with: `GET /api/v1/samples`"""
        return cast("types.ListSamplesResult", self._json("GET", "/api/v1/samples"))

    def get_sample(self, name: str) -> "bytes":
        """One of these files: `GET /api/v1/samples/{name}`"""
        return self._bytes("GET", f"/api/v1/samples/{part(name)}")

    def get_training_options(self) -> "types.TrainingOptions":
        """What may be chosen for a fine-tune, and what is chosen where nothing is said: `GET /api/v1/training_options`"""
        return cast("types.TrainingOptions", self._json("GET", "/api/v1/training_options"))

    def list_training_jobs(self) -> "types.ListTrainingJobsResult":
        """Training jobs: `GET /api/v1/training_jobs`"""
        return cast("types.ListTrainingJobsResult", self._json("GET", "/api/v1/training_jobs"))

    def start_training(self, body: types.TrainingJob) -> "types.TrainingStatus":
        """An owner's signed order to train an adapter, or to merge some: `POST /api/v1/training_jobs`"""
        return cast("types.TrainingStatus", self._json("POST", "/api/v1/training_jobs", body=body))

    def get_training_job(self, id: types.HashParameter) -> "types.TrainingStatus":
        """Where a training job stands: `GET /api/v1/training_jobs/{id}`"""
        return cast("types.TrainingStatus", self._json("GET", f"/api/v1/training_jobs/{part(id)}"))

    def cancel_training(self, id: types.HashParameter, body: types.CancelTrainingBody) -> "types.TrainingStatus":
        """Stop a training job, signed by its owner: `POST /api/v1/training_jobs/{id}/cancel`"""
        return cast("types.TrainingStatus", self._json("POST", f"/api/v1/training_jobs/{part(id)}/cancel", body=body))

    def pause_training(self, id: types.HashParameter, body: types.PauseTrainingBody) -> "types.TrainingStatus":
        """Have a training job wait, signed by its owner; its worker keeps the checkpoint: `POST /api/v1/training_jobs/{id}/pause`"""
        return cast("types.TrainingStatus", self._json("POST", f"/api/v1/training_jobs/{part(id)}/pause", body=body))

    def resume_training(self, id: types.HashParameter, body: types.ResumeTrainingBody) -> "types.TrainingStatus":
        """Have a paused training job go on from its checkpoint, signed by its owner: `POST /api/v1/training_jobs/{id}/resume`"""
        return cast("types.TrainingStatus", self._json("POST", f"/api/v1/training_jobs/{part(id)}/resume", body=body))

    def get_stats(self) -> "types.Stats":
        """What the network has done since its first block and in the last 24 hours, and what runs now: `GET /api/v1/stats`"""
        return cast("types.Stats", self._json("GET", "/api/v1/stats"))

    def list_events(self) -> "Iterator[Event]":
        """What happens from now on, as server-sent events: `GET /api/v1/events`"""
        return self._events("GET", "/api/v1/events")

    def get_governance(self) -> "types.Governance":
        """The rules of votes, and all proposals with their state and votes: `GET /api/v1/governance`"""
        return cast("types.Governance", self._json("GET", "/api/v1/governance"))

    def list_settings(self) -> "types.ListSettingsResult":
        """Every parameter that a proposal can change, as it is now: `GET /api/v1/governance/settings`"""
        return cast("types.ListSettingsResult", self._json("GET", "/api/v1/governance/settings"))

    def get_setting_call(self, name: str, *, values: str) -> "types.SettingCall":
        """The call of a proposal that gives a parameter other values: `GET /api/v1/governance/settings/{name}/call`"""
        return cast("types.SettingCall", self._json("GET", f"/api/v1/governance/settings/{part(name)}/call", query={"values": values}))

    def get_account(self, address: types.Account) -> "types.AccountView":
        """Balance, escrow, stake and earnings of an account: `GET /api/v1/accounts/{address}`"""
        return cast("types.AccountView", self._json("GET", f"/api/v1/accounts/{part(address)}"))

    def list_earnings(self, address: types.Account) -> "types.Earnings":
        """What batches and epochs owe or have paid to an account, with the proofs to claim it: `GET /api/v1/accounts/{address}/earnings`"""
        return cast("types.Earnings", self._json("GET", f"/api/v1/accounts/{part(address)}/earnings"))

    def list_receipts(self, *, limit: int | None = None) -> "types.ListReceiptsResult":
        """Accepted receipts, the newest first: `GET /api/v1/receipts`"""
        return cast("types.ListReceiptsResult", self._json("GET", "/api/v1/receipts", query={"limit": limit}))

    def get_receipt(self, id: types.HashParameter) -> "types.ReceiptView":
        """One receipt: `GET /api/v1/receipts/{id}`"""
        return cast("types.ReceiptView", self._json("GET", f"/api/v1/receipts/{part(id)}"))

    def explain_receipt(self, id: types.HashParameter) -> "types.Explanation":
        """Whose records an answer rests on, and who has what of its fee: `GET /api/v1/receipts/{id}/attribution`"""
        return cast("types.Explanation", self._json("GET", f"/api/v1/receipts/{part(id)}/attribution"))

    def verify_receipt(self, id: types.HashParameter) -> "types.Verification":
        """Run an answer and its attribution again, and compare every bit: `POST /api/v1/receipts/{id}/verify`"""
        return cast("types.Verification", self._json("POST", f"/api/v1/receipts/{part(id)}/verify"))

    def list_batches(self) -> "types.ListBatchesResult":
        """Settled batches, as the chain has them: `GET /api/v1/batches`"""
        return cast("types.ListBatchesResult", self._json("GET", "/api/v1/batches"))

    def get_batch(self, worker: types.Account, nonce: types.Uint64) -> "types.BatchPage":
        """One batch with where it stands, its receipts and whom it pays: `GET /api/v1/batches/{worker}/{nonce}`"""
        return cast("types.BatchPage", self._json("GET", f"/api/v1/batches/{part(worker)}/{part(nonce)}"))

    def list_disputes(self, *, limit: int | None = None, cursor: str | None = None) -> "types.ListDisputesResult":
        """Challenges of batches and epochs, the newest first: `GET /api/v1/disputes`"""
        return cast("types.ListDisputesResult", self._json("GET", "/api/v1/disputes", query={"limit": limit, "cursor": cursor}))

    def get_dispute(self, id: types.Uint64) -> "types.DisputePage":
        """A dispute with its committee, what each member said, and what happened: `GET /api/v1/disputes/{id}`"""
        return cast("types.DisputePage", self._json("GET", f"/api/v1/disputes/{part(id)}"))

    def get_block(self, digest: types.HashParameter) -> "bytes":
        """A content-addressed block: a record, evidence, a part of a batch's document: `GET /api/v1/blocks/{digest}`"""
        return self._bytes("GET", f"/api/v1/blocks/{part(digest)}")

    def get_open_api(self) -> "Any":
        """This description, as JSON: `GET /api/openapi.json`"""
        return cast("Any", self._json("GET", "/api/openapi.json"))

    def get_open_apiyaml(self) -> "bytes":
        """This description, as YAML: `GET /api/openapi.yaml`"""
        return self._bytes("GET", "/api/openapi.yaml")

    def is_alive(self) -> "types.IsAliveResult":
        """Whether the coordinator answers: `GET /healthz`"""
        return cast("types.IsAliveResult", self._json("GET", "/healthz"))

    def is_ready(self) -> "types.IsReadyResult":
        """Whether a request would find a worker: `GET /readyz`"""
        return cast("types.IsReadyResult", self._json("GET", "/readyz"))

    def get_metrics(self) -> "bytes":
        """Prometheus metrics: `GET /metrics`"""
        return self._bytes("GET", "/metrics")


class AsyncOperations(AsyncTransport):
    """What the API does, for asyncio."""

    async def get_network(self) -> "types.Network":
        """All that a client needs to join and to sign: `GET /api/v1/network`"""
        return cast("types.Network", await self._json("GET", "/api/v1/network"))

    async def list_workers(self) -> "types.ListWorkersResult":
        """Workers heard of lately: `GET /api/v1/workers`"""
        return cast("types.ListWorkersResult", await self._json("GET", "/api/v1/workers"))

    async def call_rpc(self, body: Any) -> "Any":
        """JSON-RPC of the chain's node, as far as a page needs it: `POST /api/v1/rpc`"""
        return cast("Any", await self._json("POST", "/api/v1/rpc", body=body))

    async def drip(self, body: types.DripBody) -> "types.DripResult":
        """Fund an account of a development network: `POST /api/v1/faucet`"""
        return cast("types.DripResult", await self._json("POST", "/api/v1/faucet", body=body))

    async def create_key(self, body: types.KeyRequest) -> "types.IssuedKey":
        """An API key that spends the escrow of the account that signs: `POST /api/v1/keys`"""
        return cast("types.IssuedKey", await self._json("POST", "/api/v1/keys", body=body))

    async def list_keys(self, body: types.ListKeysBody) -> "types.ListKeysResult":
        """An account's API keys, the newest first, without their secrets: `POST /api/v1/keys/list`"""
        return cast("types.ListKeysResult", await self._json("POST", "/api/v1/keys/list", body=body))

    async def get_account_usage(self, body: types.GetAccountUsageBody) -> "types.GetAccountUsageResult":
        """What all API keys of an account were used for, by UTC day, key and model: `POST /api/v1/keys/usage`"""
        return cast("types.GetAccountUsageResult", await self._json("POST", "/api/v1/keys/usage", body=body))

    async def revoke_key(self, id: types.HashParameter, body: types.RevokeKeyBody) -> "types.Key":
        """End an API key: `POST /api/v1/keys/{id}/revoke`"""
        return cast("types.Key", await self._json("POST", f"/api/v1/keys/{part(id)}/revoke", body=body))

    async def rotate_key(self, id: types.HashParameter, body: types.RotateKeyBody) -> "types.IssuedKey":
        """Give an API key a new secret; what it spent still counts: `POST /api/v1/keys/{id}/rotate`"""
        return cast("types.IssuedKey", await self._json("POST", f"/api/v1/keys/{part(id)}/rotate", body=body))

    async def get_usage(self, *, days: int | None = None) -> "types.GetUsageResult":
        """What the API key was used for, by UTC day and model: `GET /api/v1/usage`"""
        return cast("types.GetUsageResult", await self._json("GET", "/api/v1/usage", query={"days": days}, keyed=True))

    async def list_all_models(self) -> "types.ListAllModelsResult":
        """The base and the registered adapters, without an API key: `GET /api/v1/models`"""
        return cast("types.ListAllModelsResult", await self._json("GET", "/api/v1/models"))

    async def order_adapter(self, id: str, action: Literal['load', 'pin', 'unpin', 'unload'], body: types.OrderAdapterBody | None = None) -> "types.OrderAdapterResult":
        """Have workers load, pin, unpin or unload an adapter: `POST /api/v1/adapters/{id}/{action}`"""
        return cast("types.OrderAdapterResult", await self._json("POST", f"/api/v1/adapters/{part(id)}/{part(action)}", body=body, keyed=True))

    async def get_evaluation(self, id: str) -> "types.TrainingReport":
        """How an adapter does on the records that its training held out: `GET /api/v1/adapters/{id}/evaluation`"""
        return cast("types.TrainingReport", await self._json("GET", f"/api/v1/adapters/{part(id)}/evaluation"))

    async def list_datanets(self, *, q: str | None = None, license: str | None = None, owner: types.Account | None = None, limit: int | None = None, cursor: str | None = None) -> "types.ListDatanetsResult":
        """All datanets, or those that match: `GET /api/v1/datanets`"""
        return cast("types.ListDatanetsResult", await self._json("GET", "/api/v1/datanets", query={"q": q, "license": license, "owner": owner, "limit": limit, "cursor": cursor}))

    async def get_datanet(self, id: types.Uint64) -> "types.Datanet":
        """One datanet: `GET /api/v1/datanets/{id}`"""
        return cast("types.Datanet", await self._json("GET", f"/api/v1/datanets/{part(id)}"))

    async def list_contributions(self, id: types.Uint64, *, status: Literal['', 'pending', 'accepted', 'rejected', 'abusive'] | None = None, limit: int | None = None, cursor: str | None = None) -> "types.ListContributionsResult":
        """Contributions with the owner's decisions: `GET /api/v1/datanets/{id}/contributions`"""
        return cast("types.ListContributionsResult", await self._json("GET", f"/api/v1/datanets/{part(id)}/contributions", query={"status": status, "limit": limit, "cursor": cursor}))

    async def contribute(self, id: types.Uint64, body: types.ContributeBody) -> "types.ContributionStatus":
        """Offer one record, signed by its contributor: `POST /api/v1/datanets/{id}/contributions`"""
        return cast("types.ContributionStatus", await self._json("POST", f"/api/v1/datanets/{part(id)}/contributions", body=body))

    async def review(self, id: types.Uint64, body: types.SignedReview) -> "types.ContributionStatus":
        """The owner's signed decision on one contribution: `POST /api/v1/datanets/{id}/reviews`"""
        return cast("types.ContributionStatus", await self._json("POST", f"/api/v1/datanets/{part(id)}/reviews", body=body))

    async def contribute_batch(self, id: types.Uint64, body: types.ContributeBatchBody) -> "types.BatchResults":
        """Offer many records with one signature: `POST /api/v1/datanets/{id}/contributions/batch`"""
        return cast("types.BatchResults", await self._json("POST", f"/api/v1/datanets/{part(id)}/contributions/batch", body=body))

    async def review_batch(self, id: types.Uint64, body: types.ReviewBatchBody) -> "types.BatchResults":
        """The owner's decisions on many contributions with one signature: `POST /api/v1/datanets/{id}/reviews/batch`"""
        return cast("types.BatchResults", await self._json("POST", f"/api/v1/datanets/{part(id)}/reviews/batch", body=body))

    async def upload(self, id: types.Uint64, body: Body, *, name: str | None = None) -> "types.UploadResult":
        """Upload files to contribute: `POST /api/v1/datanets/{id}/uploads`"""
        return cast("types.UploadResult", await self._json("POST", f"/api/v1/datanets/{part(id)}/uploads", body=body, media="application/octet-stream", query={"name": name}, keyed=True))

    async def get_upload(self, upload: str, *, limit: int | None = None, cursor: str | None = None) -> "types.GetUploadResult":
        """An upload and the records that it would contribute: `GET /api/v1/uploads/{upload}`"""
        return cast("types.GetUploadResult", await self._json("GET", f"/api/v1/uploads/{part(upload)}", query={"limit": limit, "cursor": cursor}, keyed=True))

    async def delete_upload(self, upload: str) -> "None":
        """Let go of an upload; what was contributed from it stays: `DELETE /api/v1/uploads/{upload}`"""
        return await self._none("DELETE", f"/api/v1/uploads/{part(upload)}", keyed=True)

    async def list_contributors(self, id: types.Uint64) -> "types.ListContributorsResult":
        """Who gave something to a datanet, how much was accepted, and what it earned: `GET /api/v1/datanets/{id}/contributors`"""
        return cast("types.ListContributorsResult", await self._json("GET", f"/api/v1/datanets/{part(id)}/contributors"))

    async def list_formats(self) -> "types.ListFormatsResult":
        """Kinds of files that can be contributed, and how large one may be: `GET /api/v1/formats`"""
        return cast("types.ListFormatsResult", await self._json("GET", "/api/v1/formats"))

    async def get_limits(self, id: types.Uint64) -> "types.DatanetLimits":
        """How much one contributor may give in a day: `GET /api/v1/datanets/{id}/limits`"""
        return cast("types.DatanetLimits", await self._json("GET", f"/api/v1/datanets/{part(id)}/limits"))

    async def set_limits(self, id: types.Uint64, body: types.DatanetLimits) -> "types.DatanetLimits":
        """Set how much one contributor may give in a day, signed by the owner: `PUT /api/v1/datanets/{id}/limits`"""
        return cast("types.DatanetLimits", await self._json("PUT", f"/api/v1/datanets/{part(id)}/limits", body=body))

    async def list_records(self, id: types.Uint64, version: types.Uint32, *, limit: int | None = None, cursor: str | None = None) -> "types.ListRecordsResult":
        """Records of a version: `GET /api/v1/datanets/{id}/versions/{version}/records`"""
        return cast("types.ListRecordsResult", await self._json("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/records", query={"limit": limit, "cursor": cursor}))

    async def diff_versions(self, id: types.Uint64, version: types.Uint32, *, from_: types.Uint32 | None = None) -> "types.DiffVersionsResult":
        """How a version differs from an earlier one: `GET /api/v1/datanets/{id}/versions/{version}/diff`"""
        return cast("types.DiffVersionsResult", await self._json("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/diff", query={"from": from_}))

    async def get_record(self, cid: str) -> "types.Record":
        """A record with its text and where it was contributed: `GET /api/v1/records/{cid}`"""
        return cast("types.Record", await self._json("GET", f"/api/v1/records/{part(cid)}"))

    async def get_record_content(self, cid: str) -> "bytes":
        """What a record is about, as bytes: `GET /api/v1/records/{cid}/content`"""
        return await self._bytes("GET", f"/api/v1/records/{part(cid)}/content")

    async def list_versions(self, id: types.Uint64) -> "types.ListVersionsResult":
        """Published versions: `GET /api/v1/datanets/{id}/versions`"""
        return cast("types.ListVersionsResult", await self._json("GET", f"/api/v1/datanets/{part(id)}/versions"))

    async def build_version(self, id: types.Uint64) -> "types.Version":
        """Build the next version's blocks of what the owner accepted: `POST /api/v1/datanets/{id}/versions`"""
        return cast("types.Version", await self._json("POST", f"/api/v1/datanets/{part(id)}/versions"))

    async def export_version(self, id: types.Uint64, version: types.Uint32) -> "bytes":
        """A version as a content-addressed archive: `GET /api/v1/datanets/{id}/versions/{version}/car`"""
        return await self._bytes("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/car")

    async def get_version_embeddings(self, id: types.Uint64, version: types.Uint32) -> "types.EmbeddingStatus":
        """How far the vectors of a version's records are: `GET /api/v1/datanets/{id}/versions/{version}/embeddings`"""
        return cast("types.EmbeddingStatus", await self._json("GET", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/embeddings"))

    async def embed_version(self, id: types.Uint64, version: types.Uint32) -> "types.EmbeddingStatus":
        """Have the missing vectors of a version's records made, paid by the API key's account: `POST /api/v1/datanets/{id}/versions/{version}/embeddings`"""
        return cast("types.EmbeddingStatus", await self._json("POST", f"/api/v1/datanets/{part(id)}/versions/{part(version)}/embeddings", keyed=True))

    async def search_datanet(self, id: types.Uint64, body: types.Search) -> "types.SearchResult":
        """Records that have most to do with a question: `POST /api/v1/datanets/{id}/search`"""
        return cast("types.SearchResult", await self._json("POST", f"/api/v1/datanets/{part(id)}/search", body=body, keyed=True))

    async def list_agents(self, *, q: str | None = None, owner: types.Account | None = None) -> "types.ListAgentsResult":
        """Agents of the registry, retired ones too: `GET /api/v1/agents`"""
        return cast("types.ListAgentsResult", await self._json("GET", "/api/v1/agents", query={"q": q, "owner": owner}))

    async def get_agent(self, id: types.Uint64) -> "types.AgentPage":
        """An agent with its manifest and versions, and whether it can be asked: `GET /api/v1/agents/{id}`"""
        return cast("types.AgentPage", await self._json("GET", f"/api/v1/agents/{part(id)}"))

    async def draft_manifest(self, body: types.DraftManifestBody) -> "types.DraftManifestResult":
        """Check a manifest and get the bytes and the CID that its owner signs; nothing is stored: `POST /api/v1/agents/manifest`"""
        return cast("types.DraftManifestResult", await self._json("POST", "/api/v1/agents/manifest", body=body))

    async def store_manifest(self, id: types.Uint64, version: types.Uint32, body: types.StoreManifestBody) -> "types.StoreManifestResult":
        """Keep the manifest of a registered version of an agent: `POST /api/v1/agents/{id}/versions/{version}/manifest`"""
        return cast("types.StoreManifestResult", await self._json("POST", f"/api/v1/agents/{part(id)}/versions/{part(version)}/manifest", body=body))

    async def quote(self, body: types.QuoteRequest) -> "types.Quote":
        """What an inference or a training would cost, how long it may take, and who would do it: `POST /api/v1/quotes`"""
        return cast("types.Quote", await self._json("POST", "/api/v1/quotes", body=body))

    async def list_samples(self) -> "types.ListSamplesResult":
        """Files of records to begin with: `GET /api/v1/samples`"""
        return cast("types.ListSamplesResult", await self._json("GET", "/api/v1/samples"))

    async def get_sample(self, name: str) -> "bytes":
        """One of these files: `GET /api/v1/samples/{name}`"""
        return await self._bytes("GET", f"/api/v1/samples/{part(name)}")

    async def get_training_options(self) -> "types.TrainingOptions":
        """What may be chosen for a fine-tune, and what is chosen where nothing is said: `GET /api/v1/training_options`"""
        return cast("types.TrainingOptions", await self._json("GET", "/api/v1/training_options"))

    async def list_training_jobs(self) -> "types.ListTrainingJobsResult":
        """Training jobs: `GET /api/v1/training_jobs`"""
        return cast("types.ListTrainingJobsResult", await self._json("GET", "/api/v1/training_jobs"))

    async def start_training(self, body: types.TrainingJob) -> "types.TrainingStatus":
        """An owner's signed order to train an adapter, or to merge some: `POST /api/v1/training_jobs`"""
        return cast("types.TrainingStatus", await self._json("POST", "/api/v1/training_jobs", body=body))

    async def get_training_job(self, id: types.HashParameter) -> "types.TrainingStatus":
        """Where a training job stands: `GET /api/v1/training_jobs/{id}`"""
        return cast("types.TrainingStatus", await self._json("GET", f"/api/v1/training_jobs/{part(id)}"))

    async def cancel_training(self, id: types.HashParameter, body: types.CancelTrainingBody) -> "types.TrainingStatus":
        """Stop a training job, signed by its owner: `POST /api/v1/training_jobs/{id}/cancel`"""
        return cast("types.TrainingStatus", await self._json("POST", f"/api/v1/training_jobs/{part(id)}/cancel", body=body))

    async def pause_training(self, id: types.HashParameter, body: types.PauseTrainingBody) -> "types.TrainingStatus":
        """Have a training job wait, signed by its owner; its worker keeps the checkpoint: `POST /api/v1/training_jobs/{id}/pause`"""
        return cast("types.TrainingStatus", await self._json("POST", f"/api/v1/training_jobs/{part(id)}/pause", body=body))

    async def resume_training(self, id: types.HashParameter, body: types.ResumeTrainingBody) -> "types.TrainingStatus":
        """Have a paused training job go on from its checkpoint, signed by its owner: `POST /api/v1/training_jobs/{id}/resume`"""
        return cast("types.TrainingStatus", await self._json("POST", f"/api/v1/training_jobs/{part(id)}/resume", body=body))

    async def get_stats(self) -> "types.Stats":
        """What the network has done since its first block and in the last 24 hours, and what runs now: `GET /api/v1/stats`"""
        return cast("types.Stats", await self._json("GET", "/api/v1/stats"))

    def list_events(self) -> "AsyncIterator[Event]":
        """What happens from now on, as server-sent events: `GET /api/v1/events`"""
        return self._events("GET", "/api/v1/events")

    async def get_governance(self) -> "types.Governance":
        """The rules of votes, and all proposals with their state and votes: `GET /api/v1/governance`"""
        return cast("types.Governance", await self._json("GET", "/api/v1/governance"))

    async def list_settings(self) -> "types.ListSettingsResult":
        """Every parameter that a proposal can change, as it is now: `GET /api/v1/governance/settings`"""
        return cast("types.ListSettingsResult", await self._json("GET", "/api/v1/governance/settings"))

    async def get_setting_call(self, name: str, *, values: str) -> "types.SettingCall":
        """The call of a proposal that gives a parameter other values: `GET /api/v1/governance/settings/{name}/call`"""
        return cast("types.SettingCall", await self._json("GET", f"/api/v1/governance/settings/{part(name)}/call", query={"values": values}))

    async def get_account(self, address: types.Account) -> "types.AccountView":
        """Balance, escrow, stake and earnings of an account: `GET /api/v1/accounts/{address}`"""
        return cast("types.AccountView", await self._json("GET", f"/api/v1/accounts/{part(address)}"))

    async def list_earnings(self, address: types.Account) -> "types.Earnings":
        """What batches and epochs owe or have paid to an account, with the proofs to claim it: `GET /api/v1/accounts/{address}/earnings`"""
        return cast("types.Earnings", await self._json("GET", f"/api/v1/accounts/{part(address)}/earnings"))

    async def list_receipts(self, *, limit: int | None = None) -> "types.ListReceiptsResult":
        """Accepted receipts, the newest first: `GET /api/v1/receipts`"""
        return cast("types.ListReceiptsResult", await self._json("GET", "/api/v1/receipts", query={"limit": limit}))

    async def get_receipt(self, id: types.HashParameter) -> "types.ReceiptView":
        """One receipt: `GET /api/v1/receipts/{id}`"""
        return cast("types.ReceiptView", await self._json("GET", f"/api/v1/receipts/{part(id)}"))

    async def explain_receipt(self, id: types.HashParameter) -> "types.Explanation":
        """Whose records an answer rests on, and who has what of its fee: `GET /api/v1/receipts/{id}/attribution`"""
        return cast("types.Explanation", await self._json("GET", f"/api/v1/receipts/{part(id)}/attribution"))

    async def verify_receipt(self, id: types.HashParameter) -> "types.Verification":
        """Run an answer and its attribution again, and compare every bit: `POST /api/v1/receipts/{id}/verify`"""
        return cast("types.Verification", await self._json("POST", f"/api/v1/receipts/{part(id)}/verify"))

    async def list_batches(self) -> "types.ListBatchesResult":
        """Settled batches, as the chain has them: `GET /api/v1/batches`"""
        return cast("types.ListBatchesResult", await self._json("GET", "/api/v1/batches"))

    async def get_batch(self, worker: types.Account, nonce: types.Uint64) -> "types.BatchPage":
        """One batch with where it stands, its receipts and whom it pays: `GET /api/v1/batches/{worker}/{nonce}`"""
        return cast("types.BatchPage", await self._json("GET", f"/api/v1/batches/{part(worker)}/{part(nonce)}"))

    async def list_disputes(self, *, limit: int | None = None, cursor: str | None = None) -> "types.ListDisputesResult":
        """Challenges of batches and epochs, the newest first: `GET /api/v1/disputes`"""
        return cast("types.ListDisputesResult", await self._json("GET", "/api/v1/disputes", query={"limit": limit, "cursor": cursor}))

    async def get_dispute(self, id: types.Uint64) -> "types.DisputePage":
        """A dispute with its committee, what each member said, and what happened: `GET /api/v1/disputes/{id}`"""
        return cast("types.DisputePage", await self._json("GET", f"/api/v1/disputes/{part(id)}"))

    async def get_block(self, digest: types.HashParameter) -> "bytes":
        """A content-addressed block: a record, evidence, a part of a batch's document: `GET /api/v1/blocks/{digest}`"""
        return await self._bytes("GET", f"/api/v1/blocks/{part(digest)}")

    async def get_open_api(self) -> "Any":
        """This description, as JSON: `GET /api/openapi.json`"""
        return cast("Any", await self._json("GET", "/api/openapi.json"))

    async def get_open_apiyaml(self) -> "bytes":
        """This description, as YAML: `GET /api/openapi.yaml`"""
        return await self._bytes("GET", "/api/openapi.yaml")

    async def is_alive(self) -> "types.IsAliveResult":
        """Whether the coordinator answers: `GET /healthz`"""
        return cast("types.IsAliveResult", await self._json("GET", "/healthz"))

    async def is_ready(self) -> "types.IsReadyResult":
        """Whether a request would find a worker: `GET /readyz`"""
        return cast("types.IsReadyResult", await self._json("GET", "/readyz"))

    async def get_metrics(self) -> "bytes":
        """Prometheus metrics: `GET /metrics`"""
        return await self._bytes("GET", "/metrics")
