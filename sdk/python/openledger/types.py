# Generated from coordinator/api/openapi.yaml by sdk/generate. Do not edit.
"""What goes to the API and comes from it, as it is in JSON."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Amount: TypeAlias = str

Whole: TypeAlias = str

Account: TypeAlias = str

Hash: TypeAlias = str

HashParameter: TypeAlias = str

Hex: TypeAlias = str

Base64: TypeAlias = str

Uint64: TypeAlias = int

Uint32: TypeAlias = int

Milliseconds: TypeAlias = int

Seconds: TypeAlias = int

EventStream: TypeAlias = str


class OpenAIFile(TypedDict):
    id: "str"
    object: "Literal['file']"
    bytes: "int"
    created_at: "Seconds"
    expires_at: "None"
    filename: "str"
    purpose: "Literal['fine-tune', 'fine-tune-results']"
    status: "Literal['processed']"
    status_details: "None"


TuneNumber: TypeAlias = "Literal['auto'] | float"


class TuneHyper(TypedDict):
    n_epochs: "NotRequired[TuneNumber]"
    batch_size: "NotRequired[TuneNumber]"
    learning_rate_multiplier: "NotRequired[TuneNumber]"



class FineTuneRequestMethodSupervised(TypedDict):
    hyperparameters: "NotRequired[TuneHyper]"



class FineTuneRequestMethod(TypedDict):
    type: "Literal['supervised']"
    supervised: "NotRequired[FineTuneRequestMethodSupervised]"



class FineTuneRequestOpenledger(TypedDict):
    license: "NotRequired[str]"
    """as metadata.license"""
    description: "NotRequired[str]"
    """of the datanet"""
    rank: "NotRequired[int]"
    alpha: "NotRequired[float]"
    targets: "NotRequired[list[str]]"
    schedule: "NotRequired[Literal['cosine', 'linear', 'constant']]"
    max_length: "NotRequired[int]"
    validation_share: "NotRequired[float]"
    """of the records, held out"""
    held_out: "NotRequired[str]"
    """of a datanet's records: those whose field of this name is "validation" are held out, instead of a share"""
    patience: "NotRequired[int]"
    """evaluations without a lower held-out loss before the training stops"""
    access: "NotRequired[Amount]"
    royalty_bps: "NotRequired[int]"
    prompt_template: "NotRequired[str]"
    """how a record of a datanet becomes a prompt"""
    answer_template: "NotRequired[str]"



class FineTuneRequest(TypedDict):
    model: "str"
    """the base"""
    training_file: "str"
    """a file's ID, or a published version as datanet:ID@VERSION"""
    validation_file: "NotRequired[str | None]"
    """a file's ID, beside a training file: its examples are held out. It goes without openledger.validation_share"""
    hyperparameters: "NotRequired[TuneHyper]"
    method: "NotRequired[FineTuneRequestMethod]"
    suffix: "NotRequired[str | None]"
    seed: "NotRequired[int | None]"
    metadata: "NotRequired[dict[str, str] | None]"
    """license: SPDX expression of the datanet that a file becomes"""
    integrations: "NotRequired[list[Any] | None]"
    openledger: "NotRequired[FineTuneRequestOpenledger]"



class FineTuneMethodSupervised(TypedDict):
    hyperparameters: "NotRequired[TuneHyper]"



class FineTuneMethod(TypedDict):
    type: "Literal['supervised']"
    supervised: "FineTuneMethodSupervised"



class FineTuneError2(TypedDict):
    code: "str"
    message: "str"
    param: "str | None"



class FineTuneOpenledger(TypedDict):
    datanet: "NotRequired[Uint64]"
    version: "NotRequired[Uint32]"
    training_job: "NotRequired[Hash]"
    license: "NotRequired[str]"



class FineTune(TypedDict):
    id: "str"
    object: "Literal['fine_tuning.job']"
    created_at: "Seconds"
    finished_at: "Seconds | None"
    model: "str"
    fine_tuned_model: "str | None"
    """name@CID, which nobody else's model can be called"""
    organization_id: "Account"
    status: "Literal['validating_files', 'queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']"
    hyperparameters: "TuneHyper"
    method: "FineTuneMethod"
    training_file: "str"
    validation_file: "str | None"
    result_files: "list[str]"
    trained_tokens: "int | None"
    """of prompts and answers in all steps"""
    error: "None | FineTuneError2"
    seed: "Uint64"
    estimated_finish: "Seconds | None"
    integrations: "list[Any]"
    metadata: "dict[str, str]"
    openledger: "FineTuneOpenledger"



class ErrorError(TypedDict):
    message: "str"
    """says what to do"""
    type: "str"
    param: "str | None"
    """the field that it is about"""
    code: "str"



class Error(TypedDict):
    error: "ErrorError"



class PaymentRequiredError(TypedDict):
    message: "str"
    """says what to do"""
    type: "str"
    param: "str | None"
    """the field that it is about"""
    code: "str"
    """payment_required, or x402's reason why the payment was refused"""



class PaymentRequiredResource(TypedDict):
    url: "str"
    description: "NotRequired[str]"
    mimeType: "NotRequired[str]"



class PaymentRequired(TypedDict):
    error: "PaymentRequiredError"
    x402Version: "NotRequired[Literal[2]]"
    resource: "NotRequired[PaymentRequiredResource]"
    accepts: "NotRequired[list[PaymentTerms]]"



class PaymentTermsExtra(TypedDict):
    name: "str"
    """of the EIP-712 domain"""
    version: "str"
    """of the EIP-712 domain"""
    assetTransferMethod: "Literal['eip3009']"
    """TransferWithAuthorization is signed"""
    request: "NotRequired[Hash]"
    """SHA2-256 of method, space, path, newline and body: for a nonce that is good for this request only"""



class PaymentTerms(TypedDict):
    scheme: "Literal['exact']"
    network: "str"
    """the chain (CAIP-2)"""
    amount: "Amount"
    """the most that is charged"""
    asset: "Account"
    """the escrow"""
    payTo: "Account"
    """the coordinator's session key"""
    maxTimeoutSeconds: "int"
    """how long the payment should be valid"""
    extra: "PaymentTermsExtra"



class OpenAIModel(TypedDict):
    id: "str"
    object: "Literal['model']"
    created: "Seconds"
    owned_by: "Account"
    openledger: "Model"



class Model(TypedDict):
    id: "str"
    """name; of an older revision name@revision"""
    cid: "NotRequired[str]"
    base: "Hash"
    owner: "Account"
    datanet: "NotRequired[Uint64]"
    version: "NotRequired[Uint32]"
    access: "Amount"
    """wei per inference"""
    created: "Seconds"
    revision: "NotRequired[Uint32]"
    royalty_bps: "NotRequired[int]"
    parents: "NotRequired[list[Hash]]"
    agent: "NotRequired[AgentModel]"



class AgentModel(TypedDict):
    id: "Uint64"
    version: "Uint32"
    """the newest, which is asked"""
    manifest: "str"
    """CID"""
    adapter: "NotRequired[str]"
    """that answers; none: the base"""
    description: "NotRequired[str]"
    markup: "Amount"
    """wei per request, on top of what its model costs"""
    stake: "Amount"



class ChatMessageContent3Item(TypedDict):
    type: "Literal['text']"
    text: "str"



class ChatMessage(TypedDict):
    role: "Literal['system', 'developer', 'user', 'assistant', 'tool']"
    content: "NotRequired[None | str | list[ChatMessageContent3Item]]"
    """a text, or parts of it"""
    name: "NotRequired[str]"
    tool_call_id: "NotRequired[str]"
    tool_calls: "NotRequired[list[ToolCall] | None]"



class ToolCallFunction(TypedDict):
    name: "NotRequired[str]"
    arguments: "str"
    """JSON as text"""



class ToolCall(TypedDict):
    index: "NotRequired[int]"
    """in streams"""
    id: "NotRequired[str]"
    type: "NotRequired[Literal['function']]"
    function: "ToolCallFunction"



class ToolFunction(TypedDict):
    name: "str"
    description: "NotRequired[str]"
    parameters: "NotRequired[dict[str, Any] | None]"
    """JSON Schema"""
    strict: "NotRequired[bool | None]"



class Tool(TypedDict):
    type: "Literal['function']"
    function: "ToolFunction"



class EmbeddingStatus(TypedDict):
    datanet: "Uint64"
    version: "Uint32"
    algorithm: "str"
    records: "int"
    """with text"""
    embedded: "int"
    running: "bool"
    fee: "Amount"
    """of the newest order so far"""
    error: "NotRequired[str]"
    """that ended the newest order; order again to go on"""



class Retrieve(TypedDict):
    datanet: "int | str"
    """its number or its name"""
    version: "NotRequired[Uint32]"
    """0 or left out is the newest"""
    top_k: "NotRequired[int]"
    """records at most; 16 of all datanets together"""
    max_bytes: "NotRequired[int]"
    """of their text; left out, as much as fits the model, at most 4,000"""
    method: "NotRequired[Literal['', 'bm25', 'hybrid']]"
    """left out, hybrid when the version's vectors are there"""



class CitationUsedItem(TypedDict):
    start: "int"
    end: "int"



class Citation(TypedDict):
    number: "int"
    """in the prompt, from 1: answers cite it as [1]"""
    datanet: "Uint64"
    version: "Uint32"
    record: "Hash"
    cid: "str"
    contributor: "Account"
    title: "str"
    excerpt: "str"
    """untrusted text, as the prompt has it"""
    score: "float"
    """what the answer's log-probability gains by it, in nats"""
    weight: "Uint64"
    """of 1000000000: its part of what the datanet's contributors earn"""
    used: "list[CitationUsedItem]"
    """where the answer names its number or repeats it"""



class RetrievalUse(TypedDict):
    datanet: "Uint64"
    version: "Uint32"
    method: "Literal['bm25', 'hybrid']"
    records: "int"
    embedded: "int"
    price: "Amount"
    receipt: "NotRequired[Hash]"
    """of the question's vector"""



class Search(TypedDict):
    query: "str"
    """what to look for, 4,096 bytes at most"""
    version: "NotRequired[Uint32]"
    """0 or left out is the newest"""
    top_k: "NotRequired[int | None]"
    """records at most"""
    max_bytes: "NotRequired[int | None]"
    """of the passages together"""
    method: "NotRequired[Literal['', 'bm25', 'hybrid']]"
    """left out, hybrid when the version's vectors are there"""



class SearchResultResultsItem(TypedDict):
    record: "Hash"
    cid: "str"
    contributor: "Account"
    title: "str"
    passage: "str"
    """untrusted: the part of the record that has most of the question's words"""
    score: "float"
    """by reciprocal ranks: it orders one search, and means nothing beside another's"""



class SearchResult(TypedDict):
    datanet: "Uint64"
    version: "Uint32"
    method: "Literal['bm25', 'hybrid']"
    records: "int"
    """of the version that have text"""
    embedded: "int"
    """of them with a vector"""
    price: "Amount"
    """what an answer pays that reads the datanet; a search does not"""
    license: "str"
    """of the records, an SPDX expression"""
    fee: "Amount"
    """of the question's vector; 0 by words"""
    receipt: "NotRequired[Hash]"
    """of the question's vector"""
    results: "list[SearchResultResultsItem]"



class ChatCompletionRequestToolChoice3Function(TypedDict):
    name: "str"



class ChatCompletionRequestToolChoice3(TypedDict):
    type: "Literal['function']"
    function: "ChatCompletionRequestToolChoice3Function"



class ChatCompletionRequest(TypedDict):
    retrieval: "NotRequired[Retrieve | list[Retrieve] | None]"
    """datanets that the answer reads"""
    model: "ModelName"
    messages: "list[ChatMessage]"
    stream: "NotRequired[bool | None]"
    stream_options: "NotRequired[StreamOptions]"
    max_tokens: "NotRequired[MaxTokens]"
    max_completion_tokens: "NotRequired[MaxTokens]"
    temperature: "NotRequired[Temperature]"
    top_p: "NotRequired[Probability]"
    top_k: "NotRequired[TopK]"
    min_p: "NotRequired[Probability]"
    repetition_penalty: "NotRequired[RepetitionPenalty]"
    presence_penalty: "NotRequired[Penalty]"
    frequency_penalty: "NotRequired[Penalty]"
    logit_bias: "NotRequired[LogitBias]"
    seed: "NotRequired[Seed]"
    stop: "NotRequired[Stop]"
    response_format: "NotRequired[ResponseFormat]"
    logprobs: "NotRequired[bool | None]"
    top_logprobs: "NotRequired[int | None]"
    tools: "NotRequired[list[Tool] | None]"
    tool_choice: "NotRequired[None | Literal['none', 'auto', 'required'] | ChatCompletionRequestToolChoice3]"
    """none, auto, required, or the function to call"""
    parallel_tool_calls: "NotRequired[bool | None]"
    chat_template_kwargs: "NotRequired[dict[str, Any] | None]"
    """further variables for the model's chat template"""
    n: "NotRequired[Literal[1, None]]"
    user: "NotRequired[str | None]"



class CompletionRequest(TypedDict):
    model: "ModelName"
    prompt: "str | list[str]"
    stream: "NotRequired[bool | None]"
    stream_options: "NotRequired[StreamOptions]"
    max_tokens: "NotRequired[MaxTokens]"
    temperature: "NotRequired[Temperature]"
    top_p: "NotRequired[Probability]"
    top_k: "NotRequired[TopK]"
    min_p: "NotRequired[Probability]"
    repetition_penalty: "NotRequired[RepetitionPenalty]"
    presence_penalty: "NotRequired[Penalty]"
    frequency_penalty: "NotRequired[Penalty]"
    logit_bias: "NotRequired[LogitBias]"
    seed: "NotRequired[Seed]"
    stop: "NotRequired[Stop]"
    response_format: "NotRequired[ResponseFormat]"
    logprobs: "NotRequired[int | None]"
    n: "NotRequired[Literal[1, None]]"
    best_of: "NotRequired[Literal[1, None]]"
    user: "NotRequired[str | None]"


ModelName: TypeAlias = str


class StreamOptions(TypedDict):
    include_usage: "NotRequired[bool | None]"


MaxTokens: TypeAlias = "int | None"

Temperature: TypeAlias = "float | None"

Probability: TypeAlias = "float | None"

TopK: TypeAlias = "int | None"

RepetitionPenalty: TypeAlias = "float | None"

Penalty: TypeAlias = "float | None"

Seed: TypeAlias = "int | None"

LogitBias: TypeAlias = "dict[str, float] | None"

Stop: TypeAlias = "None | str | list[str]"


class ResponseFormatJsonSchema(TypedDict):
    name: "NotRequired[str]"
    strict: "NotRequired[bool | None]"
    schema: "NotRequired[dict[str, Any]]"



class ResponseFormat(TypedDict):
    type: "Literal['text', 'json_object', 'json_schema']"
    json_schema: "NotRequired[ResponseFormatJsonSchema | None]"



class Usage(TypedDict):
    prompt_tokens: "int"
    completion_tokens: "int"
    total_tokens: "int"
    fee: "Amount"
    receipt: "Hash"
    """GET /api/v1/receipts/{id} shows it"""
    receipts: "NotRequired[list[Hash]]"
    """of an agent with tools of its own, those of all rounds, which the numbers add up; receipt is the last"""



class ToolRun(TypedDict):
    round: "int"
    """that called it"""
    receipt: "Hash"
    """of the round"""
    id: "str"
    name: "str"
    arguments: "str"
    """JSON as text, by the model"""
    result: "str"
    """untrusted text, as the model was given it"""
    failed: "bool"



class EmbeddingRequest(TypedDict):
    model: "str"
    """the base; an adapter has no vectors of its own"""
    input: "str | list[str] | list[Uint32] | list[list[Uint32]]"
    """a text, a list of texts, a list of token ids, or a list of such lists; none empty, at most 2,048"""
    encoding_format: "NotRequired[Literal['float', 'base64']]"
    """base64 is of little-endian float32"""
    dimensions: "NotRequired[int | None]"
    """as many as the model's vectors have, or left out"""
    user: "NotRequired[str]"



class EmbeddingsDataItem(TypedDict):
    object: "Literal['embedding']"
    index: "int"
    embedding: "list[float] | str"



class EmbeddingsUsage(TypedDict):
    prompt_tokens: "int"
    total_tokens: "int"
    fee: "Amount"
    receipt: "Hash"
    """the first of receipts"""
    receipts: "list[Hash]"
    """one for each job that the inputs were cut into"""



class EmbeddingsOpenledger(TypedDict):
    algorithm: "str"
    """how vectors are made: mean-l2-v1"""



class Embeddings(TypedDict):
    object: "Literal['list']"
    data: "list[EmbeddingsDataItem]"
    model: "str"
    usage: "EmbeddingsUsage"
    openledger: "EmbeddingsOpenledger"


FinishReason: TypeAlias = "Literal['stop', 'length', 'tool_calls', 'cancelled', None]"


class ChatLogProbTopLogprobsItem(TypedDict):
    token: "str"
    logprob: "float"
    bytes: "list[int] | None"



class ChatLogProb(TypedDict):
    token: "str"
    logprob: "float"
    bytes: "list[int] | None"
    top_logprobs: "list[ChatLogProbTopLogprobsItem]"



class ChatLogProbs(TypedDict):
    content: "list[ChatLogProb]"
    refusal: "None"



class TextLogProbs(TypedDict):
    tokens: "list[str]"
    token_logprobs: "list[float]"
    top_logprobs: "list[dict[str, float]]"
    text_offset: "list[int]"



class AnswerMessageAnnotationsItemUrlCitation(TypedDict):
    start_index: "int"
    end_index: "int"
    url: "str"
    """ipfs:// and the record's CID"""
    title: "str"



class AnswerMessageAnnotationsItem(TypedDict):
    type: "Literal['url_citation']"
    url_citation: "AnswerMessageAnnotationsItemUrlCitation"



class AnswerMessageOpenledger(TypedDict):
    citations: "list[Citation] | None"
    tools: "NotRequired[list[ToolRun]]"
    """of the agent's own, that were run for this answer"""
    retrieval: "NotRequired[list[RetrievalUse]]"



class AnswerMessage(TypedDict):
    annotations: "NotRequired[list[AnswerMessageAnnotationsItem]]"
    openledger: "NotRequired[AnswerMessageOpenledger]"
    role: "NotRequired[Literal['assistant']]"
    content: "NotRequired[str]"
    tool_calls: "NotRequired[list[ToolCall]]"



class ChatCompletionChoicesItem(TypedDict):
    index: "int"
    message: "AnswerMessage"
    logprobs: "ChatLogProbs"
    finish_reason: "FinishReason"



class ChatCompletion(TypedDict):
    id: "str"
    object: "Literal['chat.completion']"
    created: "Seconds"
    model: "str"
    choices: "list[ChatCompletionChoicesItem]"
    usage: "Usage"



class ChatCompletionChunkChoicesItem(TypedDict):
    index: "int"
    delta: "AnswerMessage"
    logprobs: "ChatLogProbs"
    finish_reason: "FinishReason"



class ChatCompletionChunk(TypedDict):
    id: "str"
    object: "Literal['chat.completion.chunk']"
    created: "Seconds"
    model: "str"
    choices: "list[ChatCompletionChunkChoicesItem]"
    usage: "NotRequired[Usage]"


ChatCompletionEvent: TypeAlias = "ChatCompletionChunk | Error"


class CompletionChoicesItem(TypedDict):
    index: "int"
    text: "str"
    logprobs: "TextLogProbs"
    finish_reason: "FinishReason"



class Completion(TypedDict):
    id: "str"
    object: "Literal['text_completion']"
    created: "Seconds"
    model: "str"
    choices: "list[CompletionChoicesItem]"
    usage: "NotRequired[Usage]"


CompletionEvent: TypeAlias = "Completion | Error"


class Network(TypedDict):
    chain_id: "Uint64"
    rpc: "str"
    contracts: "Contracts"
    base: "Hash"
    base_name: "str"
    bootstrap: "list[str]"
    """multiaddrs"""
    peer: "str"
    session_key: "Account"
    """to be authorised in the escrow"""
    faucet: "bool"
    """new accounts can be funded here"""


Contracts: TypeAlias = "dict[str, Any]"


class Price(TypedDict):
    input_per_1k: "Amount"
    output_per_1k: "Amount"
    access: "Amount"
    markup: "Amount"
    """the agent's price per request"""



class WorkerAdaptersItem(TypedDict):
    tag: "str"
    """the first 8 bytes of the adapter's digest as a decimal number of 64 bits, for which a JSON number is too small in JavaScript"""
    tier: "int"
    """0 device, 1 host, 2 disk, 3 network"""
    name: "NotRequired[str]"
    """its id in the list of models; left out, the registry has none of this tag, or was not read yet"""
    cid: "NotRequired[str]"
    """left out with the name"""



class Worker(TypedDict):
    peer: "str"
    worker: "Account"
    """its owner"""
    sequence: "Uint64"
    issued_at: "Milliseconds"
    expires_at: "Milliseconds"
    base: "Hash"
    profile: "str"
    slots: "int"
    running: "int"
    waiting: "int"
    free_kv: "int"
    """tokens of KV cache left"""
    total_kv: "NotRequired[int]"
    """tokens of KV cache in all"""
    trains: "bool"
    decode_tps: "float"
    hardware: "NotRequired[str]"
    """what the worker says it runs on; nobody checks that"""
    price: "Price"
    adapters: "NotRequired[list[WorkerAdaptersItem]]"
    stake: "Amount"
    payout: "Account"
    """where what its work earns goes"""
    round_trip: "NotRequired[float]"
    """measured from this coordinator, ms; left out, not measured yet"""
    addresses: "list[str]"
    """multiaddrs"""
    reason: "NotRequired[str]"
    """why the scheduler would not choose it now"""



class AdapterPlacement(TypedDict):
    worker: "str"
    tier: "NotRequired[str]"
    """device, host, disk or network"""
    pinned: "bool"
    error: "NotRequired[str]"



class KeyRequest(TypedDict):
    requester: "Account"
    label: "str"
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 over the text of the request"""
    scopes: "NotRequired[list[Literal['inference', 'training', 'datanets', 'read']]]"
    """left out, all"""
    models: "NotRequired[list[str]]"
    """names, which stand for all of their revisions; left out, all"""
    expires: "NotRequired[Milliseconds]"
    requests_per_minute: "NotRequired[int]"
    tokens_per_minute: "NotRequired[int]"
    """of prompts and answers"""
    budget: "NotRequired[Amount]"
    """in all"""
    budget_per_day: "NotRequired[Amount]"
    """of a UTC day"""



class IssuedKey(TypedDict):
    key: "str"
    """the secret"""
    id: "Hash"
    """names the key when it is listed"""



class Key(TypedDict):
    id: "Hash"
    account: "Account"
    label: "str"
    created_at: "Milliseconds"
    """of its newest secret"""
    revoked_at: "NotRequired[Milliseconds]"
    scopes: "NotRequired[list[Literal['inference', 'training', 'datanets', 'read']]]"
    """left out, all"""
    models: "NotRequired[list[str]]"
    """names, which stand for all of their revisions; left out, all"""
    expires: "NotRequired[Milliseconds]"
    requests_per_minute: "NotRequired[int]"
    tokens_per_minute: "NotRequired[int]"
    """of prompts and answers"""
    budget: "NotRequired[Amount]"
    """in all"""
    budget_per_day: "NotRequired[Amount]"
    """of a UTC day"""
    spent: "Amount"
    """in all"""
    spent_today: "Amount"
    """this UTC day"""



class RPCRequest(TypedDict):
    jsonrpc: "NotRequired[Literal['2.0']]"
    id: "NotRequired[int | str | None]"
    method: "NotRequired[str]"
    params: "NotRequired[list[Any]]"



class RPCAnswerError(TypedDict):
    code: "int"
    message: "str"
    data: "NotRequired[Any]"
    """as the node gives it"""



class RPCAnswer(TypedDict):
    jsonrpc: "Literal['2.0']"
    id: "int | str | None"
    result: "NotRequired[Any]"
    """as the node gives it"""
    error: "NotRequired[RPCAnswerError]"



class Datanet(TypedDict):
    id: "Uint64"
    owner: "Account"
    name: "str"
    description: "str"
    license: "str"
    """SPDX expression"""
    pool: "Account"


ReviewStatus: TypeAlias = "Literal['pending', 'accepted', 'rejected', 'abusive']"


class Contribution(TypedDict):
    datanet: "Uint64"
    record: "Hash"
    contributor: "Account"
    license: "str"
    at: "Milliseconds"



class ContributionStatus(TypedDict):
    contribution: "Contribution"
    signature: "Base64"
    cid: "str"
    title: "str"
    bytes: "int"
    status: "ReviewStatus"
    reason: "NotRequired[str]"
    type: "NotRequired[RecordType]"
    preview: "NotRequired[str]"
    """beginning of its text"""
    media: "NotRequired[Media]"



class Review(TypedDict):
    datanet: "Uint64"
    record: "Hash"
    status: "ReviewStatus"
    reason: "NotRequired[str]"
    """required when it refuses"""
    at: "Milliseconds"



class SignedReview(TypedDict):
    review: "Review"
    signature: "Base64"



class BatchResultsResultsItemError(TypedDict):
    message: "str"
    type: "str"
    param: "str | None"
    code: "str"



class BatchResultsResultsItem(TypedDict):
    record: "Hash"
    contribution: "NotRequired[ContributionStatus]"
    error: "NotRequired[BatchResultsResultsItemError]"



class BatchResults(TypedDict):
    failed: "int"
    results: "list[BatchResultsResultsItem]"


Next: TypeAlias = str

RecordType: TypeAlias = "Literal['', 'text', 'opaque', 'media']"


class Media(TypedDict):
    content: "str"
    """CID of the file"""
    media_type: "str"
    size: "int"
    """bytes"""
    codec: "NotRequired[str]"
    width: "NotRequired[int]"
    """pixels"""
    height: "NotRequired[int]"
    """pixels"""
    duration_ms: "NotRequired[int]"



class UploadErrorsItem(TypedDict):
    file: "str"
    line: "NotRequired[int]"
    field: "NotRequired[str]"
    message: "str"



class Upload(TypedDict):
    id: "NotRequired[str]"
    """absent where nothing was kept"""
    datanet: "Uint64"
    account: "Account"
    name: "str"
    """cleaned"""
    bytes: "int"
    state: "Literal['checking', 'ready', 'refused']"
    errors: "list[UploadErrorsItem]"
    more: "bool"
    """there are further errors"""
    records: "int"
    repeated: "int"
    """records left out, because the file has them twice"""
    at: "Milliseconds"
    expires: "Milliseconds"



class UploadedRecordSimilar(TypedDict):
    record: "Hash"
    cid: "str"
    title: "str"
    per_cent: "int"



class UploadedRecord(TypedDict):
    record: "Hash"
    cid: "str"
    type: "RecordType"
    title: "str"
    preview: "str"
    bytes: "int"
    media: "NotRequired[Media]"
    duplicate: "NotRequired[ReviewStatus]"
    """the datanet has this record: how it stands there"""
    similar: "NotRequired[UploadedRecordSimilar]"
    """a record of the datanet that is much like it"""



class RecordSummary(TypedDict):
    record: "Hash"
    cid: "str"
    contributor: "Account"
    at: "Milliseconds"
    type: "RecordType"
    title: "str"
    preview: "str"
    bytes: "int"
    media: "NotRequired[Media]"



class RecordContributionsItem(TypedDict):
    datanet: "Uint64"
    contributor: "Account"
    at: "Milliseconds"
    status: "ReviewStatus"
    reason: "NotRequired[str]"



class Record(TypedDict):
    record: "Hash"
    cid: "str"
    type: "RecordType"
    title: "str"
    fields: "dict[str, str]"
    media_type: "NotRequired[str]"
    media: "NotRequired[Media]"
    bytes: "int"
    trainable: "bool"
    """there is text to learn from"""
    earned: "Amount"
    contributions: "list[RecordContributionsItem]"



class FileFormat(TypedDict):
    name: "str"
    """for people"""
    endings: "list[str]"
    """of file names, lower case, with the dot"""
    media_type: "NotRequired[str]"
    """of a file that becomes a record as it is; others are read for text"""
    max_bytes: "int"
    """of one file"""



class DatanetLimits(TypedDict):
    per_day: "int"
    """records of one contributor in a day (UTC)"""
    at: "Milliseconds"
    signature: "NotRequired[str]"
    """0x-hex, EIP-191, of the owner; 0x where it is shown"""



class Version(TypedDict):
    datanet: "Uint64"
    version: "Uint32"
    root: "str"
    """CID"""
    license: "str"
    records: "int"
    owner: "Account"



class Sample(TypedDict):
    name: "str"
    """of the file"""
    title: "str"
    description: "str"
    license: "str"
    """SPDX expression"""
    records: "int"
    prompt_template: "str"
    answer_template: "str"



class QuoteRequest(TypedDict):
    kind: "Literal['inference', 'training']"
    model: "NotRequired[ModelName]"
    messages: "NotRequired[list[ChatMessage]]"
    prompt: "NotRequired[str]"
    prompt_tokens: "NotRequired[int]"
    """stands for a prompt that is not told"""
    max_tokens: "NotRequired[MaxTokens]"
    datanet: "NotRequired[Uint64]"
    version: "NotRequired[Uint32]"
    """0 or left out, the newest"""
    hyper: "NotRequired[Hyper]"



class QuotePartsItem(TypedDict):
    role: "Literal['platform', 'worker', 'agent', 'owner', 'royalty', 'datanet', 'staker', 'contributors']"
    account: "NotRequired[Account]"
    """left out for contributors, who are known when the answer is attributed"""
    datanet: "NotRequired[Uint64]"
    """of whose price it is a part"""
    amount: "Amount"



class QuoteTime(TypedDict):
    first_token: "NotRequired[int]"
    expected: "NotRequired[int]"
    """with the largest answer"""
    least: "NotRequired[int]"
    """at the fastest worker, or the fastest training seen"""
    most: "NotRequired[int]"
    basis: "str"
    """what it is judged by"""



class QuoteWorkersItem(TypedDict):
    peer: "str"
    worker: "Account"
    chosen: "bool"
    eligible: "bool"
    reason: "str"
    cost: "Amount"
    """at its price"""
    tokens_per_second: "float"
    """as it measured and announced"""
    first_token: "NotRequired[int]"
    """milliseconds, estimated"""



class Quote(TypedDict):
    kind: "Literal['inference', 'training']"
    model: "str"
    prompt_tokens: "int"
    """as the worker will count them; with what is read, and of each round, at most"""
    max_tokens: "int"
    """of all rounds together"""
    records: "int"
    """of a training"""
    steps: "int"
    """of a training"""
    cost: "Amount"
    """compute, access and markup"""
    cost_open: "str"
    """the same in OPEN"""
    compute: "Amount"
    access: "Amount"
    markup: "Amount"
    rounds: "int"
    """jobs that an answer may take, all of which are in the cost: 1, or more where an agent has tools on servers"""
    retrieval: "Amount"
    """of access: what the datanets ask that are read"""
    question: "Amount"
    """of compute: the vectors of the question that they are searched by, with receipts of their own"""
    most: "Amount"
    """at the dearest workers that may answer, as admission reserves it; cost is at the one that would get it now"""
    most_open: "str"
    """the same in OPEN"""
    parts: "list[QuotePartsItem]"
    """the cost by recipient"""
    time: "QuoteTime"
    """estimates in milliseconds; those that nothing tells are left out"""
    workers: "list[QuoteWorkersItem]"
    """those that serve the base; the one that would get it now first"""
    note: "str"



class TrainingOptionsLimits(TypedDict):
    rank: "int"
    epochs: "int"
    batch: "int"
    """records of an optimiser step"""
    eval_ratio: "float"
    patience: "int"



class TrainingOptions(TypedDict):
    base: "Hash"
    base_name: "str"
    defaults: "Hyper"
    targets: "list[str]"
    schedules: "list[str]"
    limits: "TrainingOptionsLimits"
    """the largest values"""



class HyperMergeParentsItem(TypedDict):
    adapter: "str"
    """CID"""
    weight: "float"



class HyperMergeRenderingsItem(TypedDict):
    prompt_template: "NotRequired[str]"
    answer_template: "NotRequired[str]"



class HyperMerge(TypedDict):
    method: "str"
    density: "NotRequired[float]"
    frequency: "NotRequired[bool]"
    parents: "list[HyperMergeParentsItem]"
    renderings: "NotRequired[list[HyperMergeRenderingsItem] | None]"



class Hyper(TypedDict):
    rank: "NotRequired[int]"
    alpha: "NotRequired[float]"
    targets: "NotRequired[list[Literal['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']] | None]"
    learning_rate: "NotRequired[float]"
    weight_decay: "NotRequired[float]"
    epochs: "NotRequired[int]"
    batch_size: "NotRequired[int]"
    max_length: "NotRequired[int]"
    warmup_ratio: "NotRequired[float]"
    seed: "NotRequired[Uint64]"
    prompt_template: "NotRequired[str]"
    answer_template: "NotRequired[str]"
    schedule: "NotRequired[Literal['', 'cosine', 'linear', 'constant']]"
    accumulation: "NotRequired[int]"
    clip_norm: "NotRequired[float]"
    rslora: "NotRequired[bool]"
    eval_ratio: "NotRequired[float]"
    eval_steps: "NotRequired[int]"
    patience: "NotRequired[int]"
    held_out: "NotRequired[str]"
    merge: "NotRequired[HyperMerge | None]"



class TrainingOrder(TypedDict):
    owner: "Account"
    name: "str"
    base: "Hash"
    datanet: "Uint64"
    version: "Uint32"
    root: "str"
    """CID"""
    hyper_hash: "Hash"
    """SHA2-256 of the JSON of hyper"""
    access: "Amount"
    royalty_bps: "NotRequired[int]"
    revision: "Uint32"
    parents: "NotRequired[list[Hash] | None]"
    nonce: "Hash"
    deadline: "Seconds"



class TrainingJob(TypedDict):
    id: "Hash"
    order: "TrainingOrder"
    signature: "Base64"
    """by the order's owner"""
    hyper: "Hyper"
    sources: "NotRequired[list[str] | None]"
    """multiaddrs of peers that provide the content"""



class TrainingEval(TypedDict):
    step: "int"
    """0: of the base alone, before the first"""
    loss: "float"
    """mean over the tokens of the held-out answers"""
    exact: "int"
    """answers that it would give word for word"""
    records: "int"
    """held out"""



class TrainingReport(TypedDict):
    adapter: "str"
    """CID"""
    base: "TrainingEval"
    best: "TrainingEval"
    curve: "list[TrainingEval]"
    """by step, from the base's on"""
    answers: "list[HeldOutAnswer]"
    """to some of the held-out records, which the order's seed chooses"""



class HeldOutAnswer(TypedDict):
    record: "str"
    """CID"""
    prompt: "str"
    reference: "str"
    """the record's own answer"""
    base: "str"
    adapter: "str"
    base_exact: "bool"
    """word for word the reference"""
    adapter_exact: "bool"
    unanswered: "NotRequired[str]"
    """why there are no answers, such as that the prompt does not fit"""



class TrainingNote(TypedDict):
    at: "int"
    """Unix milliseconds"""
    message: "str"



class TrainingStatusTerms(TypedDict):
    owner: "Account"
    datanet: "Uint64"
    version: "Uint32"
    hyper: "Hyper"
    at: "Milliseconds"



class TrainingStatusProgress(TypedDict):
    phase: "str"
    """fetch, train, evaluate, index, publish, register or done"""
    step: "int"
    steps: "int"
    loss: "float"
    tokens_per_second: "float"
    eta_ms: "int"
    eval: "NotRequired[TrainingEval]"



class TrainingStatusResult(TypedDict):
    adapter: "str"
    """CID"""
    index: "str"
    """CID of the attribution index"""
    steps: "int"
    tokens: "NotRequired[int]"
    """of prompts and answers, in all steps"""
    loss_first: "float"
    loss_last: "float"
    seconds: "float"
    records: "int"
    eval: "NotRequired[TrainingEval]"
    report: "NotRequired[str]"
    """CID of the evaluation, where records were held out; GET /api/v1/adapters/{id}/evaluation has it"""
    tx_hash: "Hash"



class TrainingStatus(TypedDict):
    id: "Hash"
    name: "str"
    state: "Literal['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled']"
    worker: "NotRequired[str]"
    terms: "NotRequired[TrainingStatusTerms]"
    """what it was ordered with; left out for what an older coordinator took"""
    progress: "TrainingStatusProgress"
    result: "NotRequired[TrainingStatusResult]"
    error: "NotRequired[str]"
    losses: "NotRequired[list[float]]"
    """of the steps that were reported"""
    steps: "NotRequired[list[int]]"
    """which step each of losses is of"""
    evals: "NotRequired[list[TrainingEval]]"
    """on the held-out records so far, from the base's on"""
    events: "NotRequired[list[TrainingNote]]"
    """the oldest first"""



class Receipt(TypedDict):
    id: "Hash"
    requester: "Account"
    worker: "Account"
    base: "Hash"
    adapter: "Hash"
    """digest of its CID; zero: the bare base"""
    agent: "NotRequired[Uint64]"
    """that was asked"""
    agent_version: "NotRequired[Uint32]"
    datanet: "Uint64"
    datanet_root: "Hash"
    prompt_tokens: "Uint32"
    output_tokens: "Uint32"
    compute: "Amount"
    access: "Amount"
    markup: "Amount"
    """the agent's price"""
    output_hash: "Hash"
    attribution_root: "Hash"
    evidence: "Hash"
    finished_at: "Milliseconds"



class SamplingLogitBiasItem(TypedDict):
    token: "int"
    bias: "float"



class Sampling(TypedDict):
    temperature: "float"
    top_k: "NotRequired[int]"
    top_p: "NotRequired[float]"
    min_p: "NotRequired[float]"
    repetition_penalty: "NotRequired[float]"
    presence_penalty: "NotRequired[float]"
    frequency_penalty: "NotRequired[float]"
    logit_bias: "NotRequired[list[SamplingLogitBiasItem]]"
    seed: "Uint64"
    max_tokens: "int"
    stop: "NotRequired[list[str]]"
    ignore_eos: "NotRequired[bool]"
    format: "NotRequired[str]"
    schema: "NotRequired[str]"
    logprobs: "NotRequired[bool]"
    top_logprobs: "NotRequired[int]"



class InferenceJobMessagesItem(TypedDict):
    role: "str"
    content: "str"
    fields: "NotRequired[str]"



class InferenceJobRetrievalItemSourcesItem(TypedDict):
    record: "Hash"
    contributor: "Account"
    title: "NotRequired[str]"
    text: "str"



class InferenceJobRetrievalItem(TypedDict):
    datanet: "Uint64"
    version: "Uint32"
    root: "Hash"
    price: "Amount"
    sources: "list[InferenceJobRetrievalItemSourcesItem]"



class InferenceJobEmbeddingInputsItem(TypedDict):
    text: "NotRequired[str]"
    tokens: "NotRequired[list[Uint32]]"



class InferenceJobEmbedding(TypedDict):
    algorithm: "str"
    dimensions: "NotRequired[int]"
    inputs: "list[InferenceJobEmbeddingInputsItem]"



class InferenceJob(TypedDict):
    id: "Hash"
    requester: "Account"
    base: "Hash"
    adapter: "NotRequired[str]"
    agent: "NotRequired[Uint64]"
    agent_version: "NotRequired[Uint32]"
    messages: "NotRequired[list[InferenceJobMessagesItem]]"
    prompt: "NotRequired[str]"
    tools: "NotRequired[str]"
    chat_template_kwargs: "NotRequired[str]"
    retrieval: "NotRequired[list[InferenceJobRetrievalItem]]"
    """what the last message of the user is given to read"""
    embedding: "NotRequired[InferenceJobEmbedding]"
    """asks for vectors instead of an answer"""
    sampling: "Sampling"
    resume: "NotRequired[list[int]]"
    price: "Price"
    deadline: "Milliseconds"
    sources: "NotRequired[list[str]]"
    authorization: "NotRequired[Base64]"



class RecordShareSpansItem(TypedDict):
    start: "int"
    """in output tokens"""
    length: "int"
    offset: "int"
    """in the record's tokens"""



class RecordShare(TypedDict):
    record: "Hash"
    contributor: "Account"
    weight: "Uint64"
    """of 1000000000"""
    influence: "int"
    spans: "NotRequired[list[RecordShareSpansItem]]"
    """stretches of the output that the record repeats word for word"""



class AttributionRetrievedItem(TypedDict):
    algorithm: "str"
    datanet: "Uint64"
    root: "Hash"
    price: "Amount"
    shares: "list[RecordShare]"
    pool: "Uint64"



class Attribution(TypedDict):
    retrieved: "NotRequired[list[AttributionRetrievedItem]]"
    """what the job was given to read, in its order"""
    algorithm: "str"
    index: "Hash"
    root: "Hash"
    shares: "list[RecordShare] | None"
    pool: "Uint64"



class Evidence(TypedDict):
    job: "InferenceJob"
    resumed: "NotRequired[int]"
    profile: "str"
    prompt: "list[int] | None"
    output: "list[int] | None"
    text: "str"
    finished_by: "str"
    attribution: "Attribution"
    vectors: "NotRequired[list[float]]"
    """of an embedding, one after the other"""



class ReceiptView(TypedDict):
    receipt: "Receipt"
    node_key: "Account"
    signature: "Base64"
    evidence: "Evidence"
    voucher_cumulative: "Amount"
    settled: "bool"
    """drawn on the chain, as far as this coordinator has seen"""



class Batch(TypedDict):
    worker: "Account"
    nonce: "Uint64"
    root: "Hash"
    total: "Amount"
    leaves: "Uint32"
    document: "Hash"
    """SHA2-256"""
    opens_at: "Seconds"
    """end of the challenge window"""



class BatchPagePaidItem(TypedDict):
    role: "str"
    amount: "Amount"



class BatchPage(TypedDict):
    worker: "Account"
    nonce: "Uint64"
    root: "Hash"
    total: "Amount"
    leaves: "Uint32"
    document: "Hash"
    """SHA2-256"""
    document_cid: "str"
    opens_at: "Seconds"
    """end of the challenge window"""
    status: "Literal['pending', 'disputed', 'claimable', 'rejected', 'swept']"
    at: "Seconds"
    """when it was submitted"""
    claimed: "Amount"
    held: "bool"
    """its claims rest while an epoch is made of it"""
    refunded: "bool"
    """what it drew is back with the requesters"""
    tx: "NotRequired[Hash]"
    """that submitted it; not until this coordinator has noted it"""
    block: "NotRequired[int]"
    """with the transaction"""
    read: "bool"
    """whether its document was found"""
    receipts: "list[Hash]"
    """once its document was read"""
    paid: "list[BatchPagePaidItem]"
    """by role, once its document was read; adds up to the total"""
    dispute: "Uint64"
    """the latest one about it; 0: none"""
    disputes: "Uint64"
    """how many there were"""



class Dispute(TypedDict):
    id: "Uint64"
    """from 1"""
    epoch: "Uint32"
    """the epoch that is judged; 0: a batch, which worker and nonce name"""
    worker: "Account"
    nonce: "Uint64"
    document: "Hash"
    """SHA2-256"""
    challenger: "Account"
    bond: "Amount"
    reason: "int"
    """the challenger's; once guilty, the verdict's"""
    reason_text: "str"
    evidence: "Hash"
    """digest of the challenger's evidence"""
    status: "Literal['waiting', 'voting', 'guilty', 'upheld', 'undecided']"
    round: "int"
    """from 1"""
    rounds: "int"
    """at most"""
    deadline: "Seconds"
    """of the draw while waiting, of verdicts while voting"""
    quorum: "int"
    """verdicts of one kind that decide; 0 while waiting"""
    guilty: "int"
    """verdicts so far"""
    upheld: "int"
    """verdicts so far"""



class DisputePageSeatsItem(TypedDict):
    member: "Account"
    vote: "Literal['none', 'upheld', 'guilty']"



class DisputePage(TypedDict):
    id: "Uint64"
    """from 1"""
    epoch: "Uint32"
    """the epoch that is judged; 0: a batch, which worker and nonce name"""
    worker: "Account"
    nonce: "Uint64"
    document: "Hash"
    """SHA2-256"""
    challenger: "Account"
    bond: "Amount"
    reason: "int"
    """the challenger's; once guilty, the verdict's"""
    reason_text: "str"
    evidence: "Hash"
    """digest of the challenger's evidence"""
    status: "Literal['waiting', 'voting', 'guilty', 'upheld', 'undecided']"
    round: "int"
    """from 1"""
    rounds: "int"
    """at most"""
    deadline: "Seconds"
    """of the draw while waiting, of verdicts while voting"""
    quorum: "int"
    """verdicts of one kind that decide; 0 while waiting"""
    guilty: "int"
    """verdicts so far"""
    upheld: "int"
    """verdicts so far"""
    seats: "list[DisputePageSeatsItem]"
    """the committee of the current round; empty while it waits for a draw"""
    steps: "list[DisputeStep]"
    """the oldest first"""



class DisputeStep(TypedDict):
    what: "Literal['challenged', 'drawn', 'verdict', 'resolved', 'slashed', 'jailed']"
    block: "int"
    tx: "Hash"
    at: "Seconds"
    account: "NotRequired[Account]"
    """that challenged, gave the verdict, was slashed or jailed"""
    reason: "NotRequired[int]"
    amount: "NotRequired[Amount]"
    """the challenger's bond, or stake that was taken"""
    round: "NotRequired[int]"
    """of a draw"""
    members: "NotRequired[list[Account]]"
    """that were drawn"""
    vote: "NotRequired[Literal['upheld', 'guilty']]"
    """of a verdict"""
    outcome: "NotRequired[Literal['guilty', 'upheld', 'undecided']]"
    """how it was resolved"""
    until: "NotRequired[Seconds]"
    """end of the jail"""



class ExplanationPartsItem(TypedDict):
    text: "str"
    records: "list[Hash]"
    """that have it word for word"""



class Explanation(TypedDict):
    receipt: "Hash"
    algorithm: "str"
    datanet: "Uint64"
    """that the adapter learned, whose records are meant; 0, none"""
    parts: "list[ExplanationPartsItem]"
    """the answer's text, cut where the records that repeat it change; together they are the text"""
    records: "list[RecordBehind]"
    """by descending weight"""
    pool: "int"
    """weight under the threshold, of 10^9: the datanet's public pool has it"""
    read: "list[Citation]"
    """records that it was given to read, numbered as it cites them"""
    payments: "list[Payment]"
    """shares of the fee, which add up to it"""
    batch: "NotRequired[BatchName]"
    """the batch that pays them; without one they follow from the parties and rules of now"""



class RecordBehind(TypedDict):
    record: "Hash"
    contributor: "Account"
    weight: "int"
    """of 10^9"""
    repeated: "int"
    """tokens of the answer that it has word for word"""
    title: "NotRequired[str]"
    fields: "NotRequired[dict[str, str]]"
    """of a text record, each cut to 4 KiB"""
    missing: "NotRequired[str]"
    """why the content is not shown"""



class Payment(TypedDict):
    account: "Account"
    role: "PayoutRole"
    amount: "Amount"
    record: "NotRequired[Hash]"
    """of a contributor"""
    datanet: "NotRequired[Uint64]"
    """that was read, if this is a part of its price"""



class AgentView(TypedDict):
    id: "Uint64"
    model: "str"
    """the model id by which it is asked"""
    name: "str"
    owner: "Account"
    version: "Uint32"
    """the newest"""
    manifest: "str"
    """CID"""
    price: "Amount"
    """per request"""
    active: "bool"
    """offered, with at least the least stake"""
    stake: "Amount"
    created: "Seconds"
    description: "NotRequired[str]"
    adapter: "NotRequired[str]"
    """CID of the adapter that answers; none: the base"""



class AgentPageVersionsItem(TypedDict):
    version: "Uint32"
    manifest: "str"
    price: "Amount"
    at: "Seconds"



class AgentPage(TypedDict):
    id: "Uint64"
    model: "str"
    """the model id by which it is asked"""
    name: "str"
    owner: "Account"
    version: "Uint32"
    """the newest"""
    manifest: "str"
    """CID"""
    price: "Amount"
    """per request"""
    active: "bool"
    """offered, with at least the least stake"""
    stake: "Amount"
    created: "Seconds"
    description: "NotRequired[str]"
    adapter: "NotRequired[str]"
    """CID of the adapter that answers; none: the base"""
    pending_owner: "NotRequired[Account]"
    """to whom it is offered"""
    leaving: "Amount"
    """stake on its way out"""
    release_at: "NotRequired[Seconds]"
    """of it"""
    min_stake: "Amount"
    """of an agent that can be asked"""
    document: "NotRequired[dict[str, Any]]"
    """the newest manifest; none: nobody within reach has it"""
    refused: "NotRequired[str]"
    """why it cannot be asked here now; none: it can"""
    versions: "list[AgentPageVersionsItem]"
    """the newest first"""



class Stats(TypedDict):
    at: "Milliseconds"
    total: "Activity"
    day: "Activity"
    since: "Milliseconds"
    """where `day` begins: at the full hour before 24 hours ago"""
    workers: "int"
    """that have announced themselves"""
    running: "int"
    """answers under way"""
    adapters: "int"
    """that are served here"""
    agents: "int"
    """that can be asked here"""
    datanets: "int"
    records: "int"
    """in the newest versions of all datanets"""
    training: "int"
    """fine-tunes under way"""



class ActivityPaidItem(TypedDict):
    role: "str"
    """platform, worker, agent, owner, royalty, datanet, staker, contributor or pool"""
    amount: "Amount"



class Activity(TypedDict):
    requests: "int"
    """answers that this coordinator accepted"""
    prompt_tokens: "int"
    output_tokens: "int"
    compute: "Amount"
    access: "Amount"
    markup: "Amount"
    batches: "int"
    """of all workers on the chain, without those that a dispute rejected"""
    receipts: "int"
    """in these batches"""
    settled: "Amount"
    """by these batches"""
    paid: "list[ActivityPaidItem]"
    """what of `settled` went to whom; batches whose documents nobody has now are not in it"""



class NetworkEventReceipt(TypedDict):
    id: "Hash"
    worker: "Account"
    adapter: "Hash"
    """zeros: the base"""
    datanet: "Uint64"
    prompt_tokens: "int"
    output_tokens: "int"
    fee: "Amount"



class NetworkEventWorker(TypedDict):
    peer: "str"
    worker: "Account"
    state: "Literal['joined', 'left']"



class NetworkEventTraining(TypedDict):
    id: "Hash"
    name: "str"
    state: "str"
    """as of the training job"""



class NetworkEventBatch(TypedDict):
    worker: "Account"
    nonce: "Uint64"
    total: "Amount"
    document: "Hash"
    tx: "Hash"



class NetworkEvent(TypedDict):
    type: "Literal['receipt', 'worker', 'training', 'batch', 'reset']"
    at: "Milliseconds"
    receipt: "NotRequired[NetworkEventReceipt]"
    """an answer was accepted"""
    worker: "NotRequired[NetworkEventWorker]"
    """a worker joined or left"""
    training: "NotRequired[NetworkEventTraining]"
    """a fine-tune was ordered, began or ended"""
    batch: "NotRequired[NetworkEventBatch]"
    """a batch was settled"""



class GovernanceRules(TypedDict):
    voting_delay_seconds: "int"
    voting_period_seconds: "int"
    timelock_seconds: "int"
    quorum_percent: "int"
    proposal_threshold: "Amount"
    """votes that a proposer needs"""



class Governance(TypedDict):
    time: "Seconds"
    """of the newest block: what votes and deadlines go by"""
    rules: "GovernanceRules"
    proposals: "list[Proposal]"


Proposal = TypedDict("Proposal", {
    "id": "Hash",
    "proposer": "Account",
    "description": "str",
    "state": "Literal['pending', 'active', 'canceled', 'defeated', 'succeeded', 'queued', 'expired', 'executed']",
    "vote_start": "Seconds",
    "vote_end": "Seconds",
    "executable_at": "NotRequired[Seconds]",
    "for": "Amount",
    "against": "Amount",
    "abstain": "Amount",
    "quorum": "Amount",
    "calls": "list[ProposedCall]",
})


class ProposedCall(TypedDict):
    to: "Account"
    value: "Amount"
    data: "Hex"
    words: "NotRequired[str]"
    """the call as contract.function(name=value, …), of the network's own contracts"""



class GovernedSettingFieldsItem(TypedDict):
    name: "str"
    unit: "Literal['basis points', 'seconds', 'wei', 'percent', 'account', 'blocks', 'number']"
    about: "str"
    value: "Whole"
    """now"""
    min: "Whole"
    """that its contract takes"""
    max: "Whole"
    """that its contract takes"""
    bounded: "bool"
    """whether max is less than what the contract can keep"""



class GovernedSetting(TypedDict):
    name: "str"
    contract: "Account"
    """that it is a parameter of"""
    about: "str"
    together: "NotRequired[str]"
    """what the values have to fulfil together"""
    fields: "list[GovernedSettingFieldsItem]"



class SettingCall(TypedDict):
    call: "ProposedCall"
    tried: "bool"
    """false of the governor's own settings, which only a proposal's execution can call"""
    refused: "NotRequired[str]"
    """why it would be refused if it were executed now"""



class AccountViewEscrow(TypedDict):
    held: "Amount"
    available: "Amount"
    """held, less reserves and a requested withdrawal"""
    limit: "Amount"
    """what it allowed this coordinator's session key to spend"""
    spent: "Amount"
    """of the limit"""
    expires: "Seconds"
    """when the allowance ends; 0: there is none"""



class AccountViewStake(TypedDict):
    own: "Amount"
    delegated: "Amount"



class AccountViewOwed(TypedDict):
    earned: "Amount"
    claimed: "Amount"
    claimable: "Amount"
    waiting: "Amount"



class AccountView(TypedDict):
    account: "Account"
    balance: "Amount"
    nonce: "Uint64"
    """of its next transaction"""
    escrow: "AccountViewEscrow"
    """what it put aside for answers"""
    stake: "AccountViewStake"
    """on the account as a worker"""
    owed: "AccountViewOwed"
    """earned is claimed, claimable and waiting together"""



class EarningsEpochs(TypedDict):
    epoch: "Uint32"
    """the newest finalised one; 0: none"""
    cumulative: "Amount"
    claimed: "Amount"
    due: "Amount"
    proof: "list[Hash]"



class Earnings(TypedDict):
    account: "Account"
    earned: "Amount"
    """claimed, claimable and waiting together"""
    claimed: "Amount"
    claimable: "Amount"
    """now, from batches and from epochs"""
    waiting: "Amount"
    """in challenge windows, in disputes, or on its way through an epoch"""
    earnings: "list[Earning]"
    epochs: "EarningsEpochs"
    """what finalised epochs owe, as EpochDistributor.claim takes it"""
    unreadable: "int"
    """batches whose documents nobody within reach has now; what they owe is in no sum"""



class Earning(TypedDict):
    claim: "Claim"
    shares: "list[EarningShare]"
    """parts in single receipts; they add up to the claim's amount"""
    document: "Hash"
    """of the batch"""
    tx: "Hash"
    """of the batch"""
    claimable_at: "Seconds"
    claimed: "bool"
    """singly; what epochs paid is in epochs"""
    due: "bool"
    """it can be claimed now"""
    status: "BatchStatus"
    held: "bool"
    """it waits for an epoch that is being made"""


BatchStatus: TypeAlias = "Literal['pending', 'disputed', 'claimable', 'rejected', 'swept']"


class ClaimProofItem(TypedDict):
    hash: "Hash"
    sum: "Amount"



class Claim(TypedDict):
    worker: "Account"
    nonce: "Uint64"
    index: "Uint32"
    account: "Account"
    amount: "Amount"
    proof: "list[ClaimProofItem]"



class EarningShare(TypedDict):
    receipt: "Hash"
    adapter: "Hash"
    datanet: "NotRequired[Uint64]"
    agent: "NotRequired[Uint64]"
    role: "PayoutRole"
    record: "Hash"
    """of a contributor; else zero"""
    amount: "Amount"
    at: "Milliseconds"


PayoutRole: TypeAlias = "Literal['platform', 'worker', 'agent', 'owner', 'royalty', 'datanet', 'staker', 'contributor', 'pool']"


class BatchName(TypedDict):
    worker: "Account"
    nonce: "Uint64"



class VerificationStepsItem(TypedDict):
    name: "str"
    ok: "bool"
    detail: "NotRequired[str]"
    """what differs"""



class Verification(TypedDict):
    receipt: "Hash"
    ok: "bool"
    """every step is"""
    steps: "list[VerificationStepsItem]"
    unchecked: "NotRequired[str]"
    """what could not be checked, and why: nobody has the manifest of the agent that was asked"""
    took_ms: "int"



class ListWorkersResult(TypedDict):
    workers: "list[Worker]"



class DripResult(TypedDict):
    account: "Account"
    amount: "Amount"
    tx_hash: "Hash"
    next_at: "Milliseconds"
    """when it may ask again"""



class DripBody(TypedDict):
    account: "Account"



class ListKeysResult(TypedDict):
    keys: "list[Key]"



class ListKeysBody(TypedDict):
    account: "Account"
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 by the account over the text of the request"""



class GetAccountUsageResultUsageItem(TypedDict):
    key: "Hash"
    """its id"""
    label: "str"
    """of the key"""
    day: "str"
    model: "str"
    """as requests named it"""
    requests: "Uint64"
    prompt_tokens: "Uint64"
    output_tokens: "Uint64"
    fee: "Amount"



class GetAccountUsageResult(TypedDict):
    fee: "Amount"
    """of all rows"""
    usage: "list[GetAccountUsageResultUsageItem]"



class GetAccountUsageBody(TypedDict):
    account: "Account"
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 by the account over the text that lists its keys"""
    days: "NotRequired[int]"
    """up to today"""



class RevokeKeyBody(TypedDict):
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 by the key's account over the text of the request"""



class RotateKeyBody(TypedDict):
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 by the key's account over the text of the request"""



class GetUsageResultUsageItem(TypedDict):
    day: "str"
    model: "str"
    """as requests named it"""
    requests: "Uint64"
    prompt_tokens: "Uint64"
    output_tokens: "Uint64"
    fee: "Amount"



class GetUsageResult(TypedDict):
    key: "Hash"
    """its id"""
    usage: "list[GetUsageResultUsageItem]"



class ListAllModelsResult(TypedDict):
    models: "list[Model]"



class OrderAdapterResult(TypedDict):
    adapter: "str"
    action: "str"
    workers: "list[AdapterPlacement]"



class OrderAdapterBody(TypedDict):
    worker: "NotRequired[str]"
    """peer; left out, the coordinator chooses"""



class ListDatanetsResult(TypedDict):
    datanets: "list[Datanet]"
    total: "int"
    next: "Next"



class ListContributionsResult(TypedDict):
    contributions: "list[ContributionStatus]"
    next: "Next"



class ContributeBody(TypedDict):
    contribution: "Contribution"
    signature: "Base64"
    bytes: "Base64"
    """the record's canonical bytes"""



class ContributeBatchBodyContributionsItem(TypedDict):
    contribution: "Contribution"
    signature: "NotRequired[str | None]"
    bytes: "NotRequired[Base64]"
    """the record's canonical bytes, unless an upload has them"""



class ContributeBatchBody(TypedDict):
    upload: "NotRequired[str]"
    """id of the upload that has the records"""
    signature: "NotRequired[Base64]"
    """of ContributionBatch(bytes32 root,uint32 count), EIP-712"""
    contributions: "list[ContributeBatchBodyContributionsItem]"



class ReviewBatchBodyReviewsItem(TypedDict):
    review: "Review"
    signature: "NotRequired[str | None]"



class ReviewBatchBody(TypedDict):
    signature: "NotRequired[Base64]"
    """of ReviewBatch(bytes32 root,uint32 count), EIP-712"""
    reviews: "list[ReviewBatchBodyReviewsItem]"



class UploadResult(TypedDict):
    uploads: "list[Upload]"



class GetUploadResult(TypedDict):
    upload: "Upload"
    records: "list[UploadedRecord]"
    next: "Next"



class ListContributorsResultContributorsItem(TypedDict):
    account: "Account"
    pending: "int"
    accepted: "int"
    rejected: "int"
    ratio: "float"
    """of the reviewed ones that were accepted"""
    earned: "Amount"
    """by the receipts that this coordinator accepted"""



class ListContributorsResult(TypedDict):
    contributors: "list[ListContributorsResultContributorsItem]"



class ListFormatsResult(TypedDict):
    formats: "list[FileFormat]"
    bytes_per_day: "int"
    """that one account may upload in a day (UTC)"""



class ListRecordsResult(TypedDict):
    records: "list[RecordSummary]"
    total: "int"
    next: "Next"


DiffVersionsResultChangedItem = TypedDict("DiffVersionsResultChangedItem", {
    "from": "RecordSummary",
    "to": "RecordSummary",
})


class DiffVersionsResultCounts(TypedDict):
    added: "int"
    removed: "int"
    changed: "int"


DiffVersionsResult = TypedDict("DiffVersionsResult", {
    "from": "Uint32",
    "to": "Uint32",
    "added": "list[RecordSummary]",
    "removed": "list[RecordSummary]",
    "changed": "list[DiffVersionsResultChangedItem]",
    "counts": "DiffVersionsResultCounts",
})


class ListVersionsResult(TypedDict):
    versions: "list[Version]"



class ListAgentsResult(TypedDict):
    agents: "list[AgentView]"



class DraftManifestResult(TypedDict):
    bytes: "Base64"
    cid: "str"
    min_stake: "Amount"
    """of an agent that can be asked"""



class DraftManifestBody(TypedDict):
    owner: "Account"
    manifest: "dict[str, Any]"
    """as docs/agents.md says"""



class StoreManifestResult(TypedDict):
    cid: "str"



class StoreManifestBody(TypedDict):
    bytes: "Base64"
    """canonical, as the registry's CID names them"""



class ListSamplesResult(TypedDict):
    samples: "list[Sample]"



class ListTrainingJobsResult(TypedDict):
    training_jobs: "list[TrainingStatus]"



class CancelTrainingBody(TypedDict):
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 over the text of the request"""



class PauseTrainingBody(TypedDict):
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 over the text of the request"""



class ResumeTrainingBody(TypedDict):
    at: "Milliseconds"
    """at most five minutes old"""
    signature: "Hex"
    """EIP-191 over the text of the request"""



class ListSettingsResult(TypedDict):
    settings: "list[GovernedSetting]"



class ListReceiptsResult(TypedDict):
    receipts: "list[ReceiptView]"



class ListBatchesResult(TypedDict):
    batches: "list[Batch]"



class ListDisputesResult(TypedDict):
    disputes: "list[Dispute]"
    next: "Next"



class IsAliveResult(TypedDict):
    status: "Literal['ok']"



class IsReadyResult(TypedDict):
    status: "Literal['ready']"
    workers: "int"

