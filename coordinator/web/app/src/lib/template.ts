// Templates turn a record's fields into a question and an answer, as worker/finetune
// does: "{title}" stands for the field title, "{{" and "}}" for a brace.

type Part = { text: string } | { field: string };

/** The parts of a template. Throws with what to do where it is none. */
export function parse(source: string): Part[] {
  const out: Part[] = [];
  let text = '';
  const flush = () => {
    if (text !== '') out.push({ text });
    text = '';
  };
  for (let i = 0; i < source.length; ) {
    const two = source.slice(i, i + 2);
    const c = source.charAt(i);
    if (two === '{{' || two === '}}') {
      text += c;
      i += 2;
    } else if (c === '{') {
      const m = /^\{([^{}\n]*)\}/.exec(source.slice(i));
      if (m === null) throw new Error('A brace is not closed: write {field}, or {{ for a brace.');
      const field = (m[1] ?? '').trim();
      if (field === '') throw new Error('{} names no field: write {field}.');
      flush();
      out.push({ field });
      i += m[0].length;
    } else if (c === '}') {
      throw new Error('A brace closes nothing: write }} for a brace.');
    } else {
      text += c;
      i++;
    }
  }
  flush();
  return out;
}

/** The fields that a template uses, in order. */
export function fieldsOf(source: string): string[] {
  return [...new Set(parse(source).flatMap((p) => ('field' in p ? [p.field] : [])))];
}

/** A template filled in. Throws where the record lacks a field. */
export function render(source: string, fields: Record<string, string>): string {
  return parse(source)
    .map((p) => {
      if ('text' in p) return p.text;
      const v = Object.hasOwn(fields, p.field) ? fields[p.field] : undefined;
      if (v === undefined) throw new Error(`The record has no field "${p.field}". It has: ${Object.keys(fields).sort().join(', ')}.`);
      return v;
    })
    .join('');
}
