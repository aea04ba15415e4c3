// A conversation in the tab: what was said, and asking for the next answer.
import { api, data, type Schemas, refusal } from '../../api/client';
import { events } from '../../api/sse';

export interface Turn {
  role: 'user' | 'assistant';
  content: string;
  /** Of an answer that is complete, or was stopped. */
  receipt?: string;
  fee?: string;
  tokens?: number;
  /** How it ended: "stop", "length", "stopped" by the reader, or "broken off". */
  ended?: string;
}

export interface Settings {
  model: string;
  system: string;
  temperature: number;
  topP: number;
  maxTokens: number;
  /** Empty: another one each time. */
  seed: string;
  /** Datanets that every answer reads, by number. */
  datanets: number[];
}

export const defaults: Settings = { model: '', system: '', temperature: 0.7, topP: 1, maxTokens: 256, seed: '', datanets: [] };

/** How many datanets one answer reads at most. */
export const maxDatanets = 4;

/** A seed, where none was chosen. */
export function randomSeed(): string {
  return String(Math.floor(Math.random() * 1e9));
}

const key = 'openledger.playground';

/** What this tab has kept. */
export function kept(): { turns: Turn[]; settings: Settings } {
  try {
    const was = JSON.parse(sessionStorage.getItem(key) ?? '{}') as { turns?: Turn[]; settings?: Partial<Settings> };
    return { turns: was.turns ?? [], settings: { ...defaults, ...was.settings } };
  } catch {
    return { turns: [], settings: defaults };
  }
}

/** Keeps the conversation until the tab is closed. */
export function keep(turns: Turn[], settings: Settings): void {
  try {
    sessionStorage.setItem(key, JSON.stringify({ turns, settings }));
  } catch {
    // The tab may keep nothing: the conversation lasts as long as the page.
  }
}

/** The body of the request for the next answer. */
export function requestOf(turns: Turn[], s: Settings): Record<string, unknown> {
  const messages = turns.filter((t) => t.content !== '').map(({ role, content }) => ({ role, content }));
  return {
    model: s.model,
    messages: s.system.trim() === '' ? messages : [{ role: 'system', content: s.system }, ...messages],
    stream: true,
    stream_options: { include_usage: true },
    temperature: s.temperature,
    top_p: s.topP,
    max_tokens: s.maxTokens,
    ...(s.datanets.length === 0 ? {} : { retrieval: s.datanets.map((datanet) => ({ datanet })) }),
    ...(s.seed.trim() === '' ? {} : { seed: Number(s.seed) }),
  };
}

interface Chunk {
  id?: string;
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { fee: string; receipt: string; completion_tokens: number } | null;
  error?: { message: string };
}

/** An error in the middle of an answer; what came before it stays. */
export class BrokenOff extends Error {}

/**
 * Asks for an answer; onTurn gets it as it grows. An abort ends it early: what was
 * delivered is kept and paid for.
 */
export async function ask(apiKey: string, turns: Turn[], s: Settings, signal: AbortSignal, onTurn: (t: Turn) => void): Promise<void> {
  const answer: Turn = { role: 'assistant', content: '' };
  let id = '';
  const show = () => { onTurn({ ...answer }); };
  try {
    const response = await fetch('/v1/chat/completions', {
      method: 'POST',
      signal,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${apiKey}` },
      body: JSON.stringify(requestOf(turns, s)),
    });
    if (!response.ok || response.body === null) throw await refusal(response);
    show();
    for await (const event of events(response.body)) {
      if (event === '[DONE]') break;
      const chunk = JSON.parse(event) as Chunk;
      if (chunk.error !== undefined) throw new BrokenOff(chunk.error.message);
      id = chunk.id ?? id;
      for (const c of chunk.choices ?? []) {
        answer.content += c.delta?.content ?? '';
        answer.ended = c.finish_reason ?? answer.ended ?? '';
      }
      if (chunk.usage != null) {
        answer.receipt = chunk.usage.receipt;
        answer.fee = chunk.usage.fee;
        answer.tokens = chunk.usage.completion_tokens;
      }
      show();
    }
    if (answer.receipt === undefined) throw new BrokenOff('The answer ended too early. What came is kept; ask again for the rest.');
  } catch (error) {
    if (signal.aborted) {
      answer.ended = 'stopped';
      show();
      const receipt = await receiptOf(id);
      if (receipt !== null) {
        answer.receipt = receipt.receipt.id;
        answer.fee = (BigInt(receipt.receipt.compute) + BigInt(receipt.receipt.access) + BigInt(receipt.receipt.markup)).toString();
        answer.tokens = receipt.receipt.output_tokens;
        answer.content = receipt.evidence.text;
        show();
      }
      return;
    }
    if (answer.content !== '') {
      answer.ended = 'broken off';
      show();
    }
    throw error;
  }
}

/** The receipt of an answer that was stopped comes a moment later; its ID begins with the answer's. */
async function receiptOf(answer: string): Promise<Schemas['ReceiptView'] | null> {
  const start = `0x${answer.replace('chatcmpl-', '')}`;
  if (start.length < 10) return null;
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    try {
      const { receipts } = await data(api.GET('/api/v1/receipts', { params: { query: { limit: 20 } } }));
      const found = receipts.find((r) => r.receipt.id.startsWith(start));
      if (found !== undefined) return found;
    } catch {
      // Asked again, and then it is in the list of receipts.
    }
  }
  return null;
}
