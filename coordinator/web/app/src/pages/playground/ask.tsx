import { useRef, useState } from 'react';
import { Button } from '../../ui/basic';
import { TextArea } from '../../ui/form';

/** The field for the next question. */
export function Ask({ running, again, onAsk, onStop }: { running: boolean; again: boolean; onAsk: (text: string | null) => void; onStop: () => void }) {
  const [text, setText] = useState('');
  const form = useRef<HTMLFormElement>(null);
  return (
    <form
      ref={form}
      className="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        if (running || text.trim() === '') return;
        onAsk(text.trim());
        setText('');
      }}
    >
      <TextArea
        label="Your message"
        hint="Enter sends it, Shift and Enter begin a new line."
        rows={3}
        value={text}
        onChange={(e) => { setText(e.target.value); }}
        onKeyDown={(e) => {
          if (e.key !== 'Enter' || e.shiftKey || e.nativeEvent.isComposing) return;
          e.preventDefault();
          form.current?.requestSubmit();
        }}
      />
      <div className="row">
        {running ? (
          <Button kind="danger" onClick={onStop}>
            Stop
          </Button>
        ) : (
          <Button type="submit" kind="primary" disabled={text.trim() === ''}>
            Send
          </Button>
        )}
        {again && <Button onClick={() => { onAsk(null); }}>Ask again</Button>}
        {running && <span className="small dim">If you stop, the answer so far is kept, and paid for.</span>}
      </div>
    </form>
  );
}
