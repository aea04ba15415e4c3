// Generated from coordinator/api/openapi.yaml by sdk/generate. Do not edit.
import { Transport } from './transport.js'
import type * as t from './transport.js'

/** A method for each operation of the API, but for OpenAI's, which its own client has. */
export class Operations extends Transport {
  /** All that a client needs to join and to sign: `GET /api/v1/network` */
  getNetwork(options?: t.Options): Promise<t.Result<'getNetwork'>> {
    return this.json('GET', '/api/v1/network', { options })
  }

  /** Workers heard of lately: `GET /api/v1/workers` */
  listWorkers(options?: t.Options): Promise<t.Result<'listWorkers'>> {
    return this.json('GET', '/api/v1/workers', { options })
  }

  /** JSON-RPC of the chain's node, as far as a page needs it: `POST /api/v1/rpc` */
  callRPC(body: t.Body<'callRPC'>, options?: t.Options): Promise<t.Result<'callRPC'>> {
    return this.json('POST', '/api/v1/rpc', { body, options })
  }

  /** Fund an account of a development network: `POST /api/v1/faucet` */
  drip(body: t.Body<'drip'>, options?: t.Options): Promise<t.Result<'drip'>> {
    return this.json('POST', '/api/v1/faucet', { body, options })
  }

  /** An API key that spends the escrow of the account that signs: `POST /api/v1/keys` */
  createKey(body: t.Body<'createKey'>, options?: t.Options): Promise<t.Result<'createKey'>> {
    return this.json('POST', '/api/v1/keys', { body, options })
  }

  /** An account's API keys, the newest first, without their secrets: `POST /api/v1/keys/list` */
  listKeys(body: t.Body<'listKeys'>, options?: t.Options): Promise<t.Result<'listKeys'>> {
    return this.json('POST', '/api/v1/keys/list', { body, options })
  }

  /** What all API keys of an account were used for, by UTC day, key and model: `POST /api/v1/keys/usage` */
  getAccountUsage(body: t.Body<'getAccountUsage'>, options?: t.Options): Promise<t.Result<'getAccountUsage'>> {
    return this.json('POST', '/api/v1/keys/usage', { body, options })
  }

  /** End an API key: `POST /api/v1/keys/{id}/revoke` */
  revokeKey(id: string, body: t.Body<'revokeKey'>, options?: t.Options): Promise<t.Result<'revokeKey'>> {
    return this.json('POST', `/api/v1/keys/${this.part(id)}/revoke`, { body, options })
  }

  /** Give an API key a new secret; what it spent still counts: `POST /api/v1/keys/{id}/rotate` */
  rotateKey(id: string, body: t.Body<'rotateKey'>, options?: t.Options): Promise<t.Result<'rotateKey'>> {
    return this.json('POST', `/api/v1/keys/${this.part(id)}/rotate`, { body, options })
  }

  /** What the API key was used for, by UTC day and model: `GET /api/v1/usage` */
  getUsage(query: t.Query<'getUsage'> = {}, options?: t.Options): Promise<t.Result<'getUsage'>> {
    return this.json('GET', '/api/v1/usage', { keyed: true, query, options })
  }

  /** The base and the registered adapters, without an API key: `GET /api/v1/models` */
  listAllModels(options?: t.Options): Promise<t.Result<'listAllModels'>> {
    return this.json('GET', '/api/v1/models', { options })
  }

  /** Have workers load, pin, unpin or unload an adapter: `POST /api/v1/adapters/{id}/{action}` */
  orderAdapter(id: string, action: 'load' | 'pin' | 'unpin' | 'unload', body?: t.Body<'orderAdapter'>, options?: t.Options): Promise<t.Result<'orderAdapter'>> {
    return this.json('POST', `/api/v1/adapters/${this.part(id)}/${this.part(action)}`, { keyed: true, body, options })
  }

  /** How an adapter does on the records that its training held out: `GET /api/v1/adapters/{id}/evaluation` */
  getEvaluation(id: string, options?: t.Options): Promise<t.Result<'getEvaluation'>> {
    return this.json('GET', `/api/v1/adapters/${this.part(id)}/evaluation`, { options })
  }

  /** All datanets, or those that match: `GET /api/v1/datanets` */
  listDatanets(query: t.Query<'listDatanets'> = {}, options?: t.Options): Promise<t.Result<'listDatanets'>> {
    return this.json('GET', '/api/v1/datanets', { query, options })
  }

  /** One datanet: `GET /api/v1/datanets/{id}` */
  getDatanet(id: number | bigint, options?: t.Options): Promise<t.Result<'getDatanet'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}`, { options })
  }

  /** Contributions with the owner's decisions: `GET /api/v1/datanets/{id}/contributions` */
  listContributions(id: number | bigint, query: t.Query<'listContributions'> = {}, options?: t.Options): Promise<t.Result<'listContributions'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/contributions`, { query, options })
  }

  /** Offer one record, signed by its contributor: `POST /api/v1/datanets/{id}/contributions` */
  contribute(id: number | bigint, body: t.Body<'contribute'>, options?: t.Options): Promise<t.Result<'contribute'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/contributions`, { body, options })
  }

  /** The owner's signed decision on one contribution: `POST /api/v1/datanets/{id}/reviews` */
  review(id: number | bigint, body: t.Body<'review'>, options?: t.Options): Promise<t.Result<'review'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/reviews`, { body, options })
  }

  /** Offer many records with one signature: `POST /api/v1/datanets/{id}/contributions/batch` */
  contributeBatch(id: number | bigint, body: t.Body<'contributeBatch'>, options?: t.Options): Promise<t.Result<'contributeBatch'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/contributions/batch`, { body, options })
  }

  /** The owner's decisions on many contributions with one signature: `POST /api/v1/datanets/{id}/reviews/batch` */
  reviewBatch(id: number | bigint, body: t.Body<'reviewBatch'>, options?: t.Options): Promise<t.Result<'reviewBatch'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/reviews/batch`, { body, options })
  }

  /** Upload files to contribute: `POST /api/v1/datanets/{id}/uploads` */
  upload(id: number | bigint, body: t.Bytes, query: t.Query<'upload'> = {}, options?: t.Options): Promise<t.Result<'upload'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/uploads`, { keyed: true, body, media: 'application/octet-stream', query, options })
  }

  /** An upload and the records that it would contribute: `GET /api/v1/uploads/{upload}` */
  getUpload(upload: string, query: t.Query<'getUpload'> = {}, options?: t.Options): Promise<t.Result<'getUpload'>> {
    return this.json('GET', `/api/v1/uploads/${this.part(upload)}`, { keyed: true, query, options })
  }

  /** Let go of an upload; what was contributed from it stays: `DELETE /api/v1/uploads/{upload}` */
  deleteUpload(upload: string, options?: t.Options): Promise<void> {
    return this.none('DELETE', `/api/v1/uploads/${this.part(upload)}`, { keyed: true, options })
  }

  /** Who gave something to a datanet, how much was accepted, and what it earned: `GET /api/v1/datanets/{id}/contributors` */
  listContributors(id: number | bigint, options?: t.Options): Promise<t.Result<'listContributors'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/contributors`, { options })
  }

  /** Kinds of files that can be contributed, and how large one may be: `GET /api/v1/formats` */
  listFormats(options?: t.Options): Promise<t.Result<'listFormats'>> {
    return this.json('GET', '/api/v1/formats', { options })
  }

  /** How much one contributor may give in a day: `GET /api/v1/datanets/{id}/limits` */
  getLimits(id: number | bigint, options?: t.Options): Promise<t.Result<'getLimits'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/limits`, { options })
  }

  /** Set how much one contributor may give in a day, signed by the owner: `PUT /api/v1/datanets/{id}/limits` */
  setLimits(id: number | bigint, body: t.Body<'setLimits'>, options?: t.Options): Promise<t.Result<'setLimits'>> {
    return this.json('PUT', `/api/v1/datanets/${this.part(id)}/limits`, { body, options })
  }

  /** Records of a version: `GET /api/v1/datanets/{id}/versions/{version}/records` */
  listRecords(id: number | bigint, version: number | bigint, query: t.Query<'listRecords'> = {}, options?: t.Options): Promise<t.Result<'listRecords'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/versions/${this.part(version)}/records`, { query, options })
  }

  /** How a version differs from an earlier one: `GET /api/v1/datanets/{id}/versions/{version}/diff` */
  diffVersions(id: number | bigint, version: number | bigint, query: t.Query<'diffVersions'> = {}, options?: t.Options): Promise<t.Result<'diffVersions'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/versions/${this.part(version)}/diff`, { query, options })
  }

  /** A record with its text and where it was contributed: `GET /api/v1/records/{cid}` */
  getRecord(cid: string, options?: t.Options): Promise<t.Result<'getRecord'>> {
    return this.json('GET', `/api/v1/records/${this.part(cid)}`, { options })
  }

  /** What a record is about, as bytes: `GET /api/v1/records/{cid}/content` */
  getRecordContent(cid: string, options?: t.Options): Promise<Uint8Array> {
    return this.bytes('GET', `/api/v1/records/${this.part(cid)}/content`, { options })
  }

  /** Published versions: `GET /api/v1/datanets/{id}/versions` */
  listVersions(id: number | bigint, options?: t.Options): Promise<t.Result<'listVersions'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/versions`, { options })
  }

  /** Build the next version's blocks of what the owner accepted: `POST /api/v1/datanets/{id}/versions` */
  buildVersion(id: number | bigint, options?: t.Options): Promise<t.Result<'buildVersion'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/versions`, { options })
  }

  /** A version as a content-addressed archive: `GET /api/v1/datanets/{id}/versions/{version}/car` */
  exportVersion(id: number | bigint, version: number | bigint, options?: t.Options): Promise<Uint8Array> {
    return this.bytes('GET', `/api/v1/datanets/${this.part(id)}/versions/${this.part(version)}/car`, { options })
  }

  /** How far the vectors of a version's records are: `GET /api/v1/datanets/{id}/versions/{version}/embeddings` */
  getVersionEmbeddings(id: number | bigint, version: number | bigint, options?: t.Options): Promise<t.Result<'getVersionEmbeddings'>> {
    return this.json('GET', `/api/v1/datanets/${this.part(id)}/versions/${this.part(version)}/embeddings`, { options })
  }

  /** Have the missing vectors of a version's records made, paid by the API key's account: `POST /api/v1/datanets/{id}/versions/{version}/embeddings` */
  embedVersion(id: number | bigint, version: number | bigint, options?: t.Options): Promise<t.Result<'embedVersion'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/versions/${this.part(version)}/embeddings`, { keyed: true, options })
  }

  /** Records that have most to do with a question: `POST /api/v1/datanets/{id}/search` */
  searchDatanet(id: number | bigint, body: t.Body<'searchDatanet'>, options?: t.Options): Promise<t.Result<'searchDatanet'>> {
    return this.json('POST', `/api/v1/datanets/${this.part(id)}/search`, { keyed: true, body, options })
  }

  /** Agents of the registry, retired ones too: `GET /api/v1/agents` */
  listAgents(query: t.Query<'listAgents'> = {}, options?: t.Options): Promise<t.Result<'listAgents'>> {
    return this.json('GET', '/api/v1/agents', { query, options })
  }

  /** An agent with its manifest and versions, and whether it can be asked: `GET /api/v1/agents/{id}` */
  getAgent(id: number | bigint, options?: t.Options): Promise<t.Result<'getAgent'>> {
    return this.json('GET', `/api/v1/agents/${this.part(id)}`, { options })
  }

  /** Check a manifest and get the bytes and the CID that its owner signs; nothing is stored: `POST /api/v1/agents/manifest` */
  draftManifest(body: t.Body<'draftManifest'>, options?: t.Options): Promise<t.Result<'draftManifest'>> {
    return this.json('POST', '/api/v1/agents/manifest', { body, options })
  }

  /** Keep the manifest of a registered version of an agent: `POST /api/v1/agents/{id}/versions/{version}/manifest` */
  storeManifest(id: number | bigint, version: number | bigint, body: t.Body<'storeManifest'>, options?: t.Options): Promise<t.Result<'storeManifest'>> {
    return this.json('POST', `/api/v1/agents/${this.part(id)}/versions/${this.part(version)}/manifest`, { body, options })
  }

  /** What an inference or a training would cost, how long it may take, and who would do it: `POST /api/v1/quotes` */
  quote(body: t.Body<'quote'>, options?: t.Options): Promise<t.Result<'quote'>> {
    return this.json('POST', '/api/v1/quotes', { body, options })
  }

  /** Files of records to begin with: `GET /api/v1/samples` */
  listSamples(options?: t.Options): Promise<t.Result<'listSamples'>> {
    return this.json('GET', '/api/v1/samples', { options })
  }

  /** One of these files: `GET /api/v1/samples/{name}` */
  getSample(name: string, options?: t.Options): Promise<Uint8Array> {
    return this.bytes('GET', `/api/v1/samples/${this.part(name)}`, { options })
  }

  /** What may be chosen for a fine-tune, and what is chosen where nothing is said: `GET /api/v1/training_options` */
  getTrainingOptions(options?: t.Options): Promise<t.Result<'getTrainingOptions'>> {
    return this.json('GET', '/api/v1/training_options', { options })
  }

  /** Training jobs: `GET /api/v1/training_jobs` */
  listTrainingJobs(options?: t.Options): Promise<t.Result<'listTrainingJobs'>> {
    return this.json('GET', '/api/v1/training_jobs', { options })
  }

  /** An owner's signed order to train an adapter, or to merge some: `POST /api/v1/training_jobs` */
  startTraining(body: t.Body<'startTraining'>, options?: t.Options): Promise<t.Result<'startTraining'>> {
    return this.json('POST', '/api/v1/training_jobs', { body, options })
  }

  /** Where a training job stands: `GET /api/v1/training_jobs/{id}` */
  getTrainingJob(id: string, options?: t.Options): Promise<t.Result<'getTrainingJob'>> {
    return this.json('GET', `/api/v1/training_jobs/${this.part(id)}`, { options })
  }

  /** Stop a training job, signed by its owner: `POST /api/v1/training_jobs/{id}/cancel` */
  cancelTraining(id: string, body: t.Body<'cancelTraining'>, options?: t.Options): Promise<t.Result<'cancelTraining'>> {
    return this.json('POST', `/api/v1/training_jobs/${this.part(id)}/cancel`, { body, options })
  }

  /** Have a training job wait, signed by its owner; its worker keeps the checkpoint: `POST /api/v1/training_jobs/{id}/pause` */
  pauseTraining(id: string, body: t.Body<'pauseTraining'>, options?: t.Options): Promise<t.Result<'pauseTraining'>> {
    return this.json('POST', `/api/v1/training_jobs/${this.part(id)}/pause`, { body, options })
  }

  /** Have a paused training job go on from its checkpoint, signed by its owner: `POST /api/v1/training_jobs/{id}/resume` */
  resumeTraining(id: string, body: t.Body<'resumeTraining'>, options?: t.Options): Promise<t.Result<'resumeTraining'>> {
    return this.json('POST', `/api/v1/training_jobs/${this.part(id)}/resume`, { body, options })
  }

  /** What the network has done since its first block and in the last 24 hours, and what runs now: `GET /api/v1/stats` */
  getStats(options?: t.Options): Promise<t.Result<'getStats'>> {
    return this.json('GET', '/api/v1/stats', { options })
  }

  /** What happens from now on, as server-sent events: `GET /api/v1/events` */
  listEvents(options?: t.Options): t.Events {
    return this.events('GET', '/api/v1/events', { options })
  }

  /** The rules of votes, and all proposals with their state and votes: `GET /api/v1/governance` */
  getGovernance(options?: t.Options): Promise<t.Result<'getGovernance'>> {
    return this.json('GET', '/api/v1/governance', { options })
  }

  /** Every parameter that a proposal can change, as it is now: `GET /api/v1/governance/settings` */
  listSettings(options?: t.Options): Promise<t.Result<'listSettings'>> {
    return this.json('GET', '/api/v1/governance/settings', { options })
  }

  /** The call of a proposal that gives a parameter other values: `GET /api/v1/governance/settings/{name}/call` */
  getSettingCall(name: string, query: t.Query<'getSettingCall'>, options?: t.Options): Promise<t.Result<'getSettingCall'>> {
    return this.json('GET', `/api/v1/governance/settings/${this.part(name)}/call`, { query, options })
  }

  /** Balance, escrow, stake and earnings of an account: `GET /api/v1/accounts/{address}` */
  getAccount(address: string, options?: t.Options): Promise<t.Result<'getAccount'>> {
    return this.json('GET', `/api/v1/accounts/${this.part(address)}`, { options })
  }

  /** What batches and epochs owe or have paid to an account, with the proofs to claim it: `GET /api/v1/accounts/{address}/earnings` */
  listEarnings(address: string, options?: t.Options): Promise<t.Result<'listEarnings'>> {
    return this.json('GET', `/api/v1/accounts/${this.part(address)}/earnings`, { options })
  }

  /** Accepted receipts, the newest first: `GET /api/v1/receipts` */
  listReceipts(query: t.Query<'listReceipts'> = {}, options?: t.Options): Promise<t.Result<'listReceipts'>> {
    return this.json('GET', '/api/v1/receipts', { query, options })
  }

  /** One receipt: `GET /api/v1/receipts/{id}` */
  getReceipt(id: string, options?: t.Options): Promise<t.Result<'getReceipt'>> {
    return this.json('GET', `/api/v1/receipts/${this.part(id)}`, { options })
  }

  /** Whose records an answer rests on, and who has what of its fee: `GET /api/v1/receipts/{id}/attribution` */
  explainReceipt(id: string, options?: t.Options): Promise<t.Result<'explainReceipt'>> {
    return this.json('GET', `/api/v1/receipts/${this.part(id)}/attribution`, { options })
  }

  /** Run an answer and its attribution again, and compare every bit: `POST /api/v1/receipts/{id}/verify` */
  verifyReceipt(id: string, options?: t.Options): Promise<t.Result<'verifyReceipt'>> {
    return this.json('POST', `/api/v1/receipts/${this.part(id)}/verify`, { options })
  }

  /** Settled batches, as the chain has them: `GET /api/v1/batches` */
  listBatches(options?: t.Options): Promise<t.Result<'listBatches'>> {
    return this.json('GET', '/api/v1/batches', { options })
  }

  /** One batch with where it stands, its receipts and whom it pays: `GET /api/v1/batches/{worker}/{nonce}` */
  getBatch(worker: string, nonce: number | bigint, options?: t.Options): Promise<t.Result<'getBatch'>> {
    return this.json('GET', `/api/v1/batches/${this.part(worker)}/${this.part(nonce)}`, { options })
  }

  /** Challenges of batches and epochs, the newest first: `GET /api/v1/disputes` */
  listDisputes(query: t.Query<'listDisputes'> = {}, options?: t.Options): Promise<t.Result<'listDisputes'>> {
    return this.json('GET', '/api/v1/disputes', { query, options })
  }

  /** A dispute with its committee, what each member said, and what happened: `GET /api/v1/disputes/{id}` */
  getDispute(id: number | bigint, options?: t.Options): Promise<t.Result<'getDispute'>> {
    return this.json('GET', `/api/v1/disputes/${this.part(id)}`, { options })
  }

  /** A content-addressed block: a record, evidence, a part of a batch's document: `GET /api/v1/blocks/{digest}` */
  getBlock(digest: string, options?: t.Options): Promise<Uint8Array> {
    return this.bytes('GET', `/api/v1/blocks/${this.part(digest)}`, { options })
  }

  /** This description, as JSON: `GET /api/openapi.json` */
  getOpenAPI(options?: t.Options): Promise<t.Result<'getOpenAPI'>> {
    return this.json('GET', '/api/openapi.json', { options })
  }

  /** This description, as YAML: `GET /api/openapi.yaml` */
  getOpenAPIYAML(options?: t.Options): Promise<Uint8Array> {
    return this.bytes('GET', '/api/openapi.yaml', { options })
  }

  /** Whether the coordinator answers: `GET /healthz` */
  isAlive(options?: t.Options): Promise<t.Result<'isAlive'>> {
    return this.json('GET', '/healthz', { options })
  }

  /** Whether a request would find a worker: `GET /readyz` */
  isReady(options?: t.Options): Promise<t.Result<'isReady'>> {
    return this.json('GET', '/readyz', { options })
  }

  /** Prometheus metrics: `GET /metrics` */
  getMetrics(options?: t.Options): Promise<Uint8Array> {
    return this.bytes('GET', '/metrics', { options })
  }
}
