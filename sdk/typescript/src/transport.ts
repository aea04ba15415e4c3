/** HTTP to a coordinator: requests, answers, errors. */
import type { operations } from './schema.js'

type Json<R> = R extends { content: { 'application/json': infer T } } ? T : never

/** What an operation answers. */
export type Result<K extends keyof operations> = Json<
  operations[K]['responses'][keyof operations[K]['responses'] & (200 | 201 | 202)]
>

/** What an operation is sent. */
export type Body<K extends keyof operations> = operations[K] extends { requestBody?: infer B } ? Json<NonNullable<B>> : never

/** What an operation takes in its query. */
export type Query<K extends keyof operations> = NonNullable<operations[K]['parameters']['query']>

export type Form = FormData
export type Bytes = Uint8Array<ArrayBuffer> | ArrayBuffer | Blob | ReadableStream<Uint8Array>

/** A server-sent event, its data read as JSON. */
export interface Event {
  event: string
  id: string
  data: unknown
}
export type Events = AsyncGenerator<Event, void, undefined>

export interface Options {
  signal?: AbortSignal
  headers?: Record<string, string>
}

export interface Settings {
  /** Where the coordinator is: http://127.0.0.1:8420 unless it is given. */
  baseURL?: string
  /** For the operations that need an API key. */
  apiKey?: string
  fetch?: typeof fetch
}

/** What the coordinator refused, in OpenAI's shape: the message says what to do. */
export class APIError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly type: string | undefined,
    readonly code: string | undefined,
    /** The field that it is about. */
    readonly param: string | undefined,
    /** Names the request in the coordinator's log. */
    readonly requestID: string | undefined,
  ) {
    super(message)
    this.name = 'APIError'
  }
}

interface Asked {
  keyed?: boolean
  body?: unknown
  media?: string
  query?: Record<string, unknown>
  options?: Options | undefined
}

/** A whole number as JSON has it: one that would lose digits there is refused, not rounded. */
function whole(name: string, value: bigint): number {
  const n = Number(value)
  if (!Number.isSafeInteger(n)) throw new RangeError(`${name}: ${value} is more than a JavaScript number holds; amounts are text, such as "${value}"`)
  return n
}

export class Transport {
  readonly baseURL: string
  readonly #key: string | undefined
  readonly #fetch: typeof fetch

  constructor(settings: Settings = {}) {
    this.baseURL = (settings.baseURL ?? 'http://127.0.0.1:8420').replace(/\/+$/, '')
    this.#key = settings.apiKey
    this.#fetch = settings.fetch ?? ((...args) => fetch(...args))
  }

  /** A value as one part of a path. */
  protected part(value: string | number | bigint): string {
    return encodeURIComponent(String(value))
  }

  protected async send(method: string, path: string, asked: Asked): Promise<Response> {
    const url = new URL(this.baseURL + path)
    for (const [name, value] of Object.entries(asked.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value))
    }
    const headers = new Headers(asked.options?.headers)
    if (asked.keyed) {
      if (!this.#key) throw new TypeError('this needs an API key: give apiKey')
      headers.set('Authorization', `Bearer ${this.#key}`)
    }
    const init: RequestInit & { duplex?: 'half' } = { method, headers, signal: asked.options?.signal ?? null }
    if (asked.body !== undefined) {
      if (asked.media === undefined) {
        headers.set('Content-Type', 'application/json')
        init.body = JSON.stringify(asked.body, (name, v: unknown) => (typeof v === 'bigint' ? whole(name, v) : v))
      } else {
        if (asked.media !== 'multipart/form-data') headers.set('Content-Type', asked.media)
        init.body = asked.body as BodyInit
        if (asked.body instanceof ReadableStream) init.duplex = 'half'
      }
    }
    const res = await this.#fetch(url, init)
    if (res.ok) return res
    const text = await res.text()
    let error: { message?: string; type?: string; code?: string; param?: string | null } = {}
    try {
      error = (JSON.parse(text) as { error?: typeof error }).error ?? {}
    } catch {
      // not the coordinator's own answer: a proxy's, say
    }
    throw new APIError(res.status, error.message ?? `the coordinator answered ${res.status}`, error.type, error.code, error.param ?? undefined, res.headers.get('x-request-id') ?? undefined)
  }

  protected async json<T>(method: string, path: string, asked: Asked): Promise<T> {
    const text = await (await this.send(method, path, asked)).text()
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  protected async bytes(method: string, path: string, asked: Asked): Promise<Uint8Array> {
    return new Uint8Array(await (await this.send(method, path, asked)).arrayBuffer())
  }

  protected async none(method: string, path: string, asked: Asked): Promise<void> {
    await (await this.send(method, path, asked)).arrayBuffer()
  }

  protected async *events(method: string, path: string, asked: Asked): Events {
    const res = await this.send(method, path, asked)
    if (!res.body) return
    const decoder = new TextDecoder()
    let rest = ''
    let event = 'message'
    let id = ''
    let data: string[] = []
    // Leaving the loop early cancels the stream.
    for await (const chunk of res.body as unknown as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const cut = line.indexOf(':')
        const name = cut < 0 ? line : line.slice(0, cut)
        const value = cut < 0 ? '' : line.slice(cut + 1).replace(/^ /, '')
        if (line === '') {
          const text = data.join('\n')
          if (text !== '' && text !== '[DONE]') yield { event, id, data: JSON.parse(text) as unknown }
          event = 'message'
          data = []
        } else if (name === 'data') data.push(value)
        else if (name === 'event') event = value
        else if (name === 'id') id = value
      }
    }
  }
}
