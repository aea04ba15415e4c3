// Server-sent events as OpenAI's streams use them: events of one or more `data:` lines,
// ended by an empty line (https://html.spec.whatwg.org/multipage/server-sent-events.html).

/** Cuts a stream of bytes into the data of its events, however the bytes are split. */
export class EventCutter {
  private readonly decoder = new TextDecoder();
  private rest = '';
  private lines: string[] = [];

  /** The data of the events that end within these bytes. */
  push(bytes: Uint8Array): string[] {
    this.rest += this.decoder.decode(bytes, { stream: true });
    const out: string[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (end === null) return out;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      if (line === '') {
        if (this.lines.length > 0) out.push(this.lines.join('\n'));
        this.lines = [];
      } else if (line === 'data' || line.startsWith('data:')) {
        this.lines.push(line.slice(5).replace(/^ /, ''));
      }
      // Comments and other fields mean nothing here.
    }
  }
}

/** The data of a response's events, until its body ends. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const cutter = new EventCutter();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* cutter.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
