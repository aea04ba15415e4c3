#!/usr/bin/env python3
"""What transformers' chat templates give: NAME.golden.json for every NAME.jinja of this folder.

usage: golden.py [OUT]    (default: the folder of this script)

The templates are our own, in the formats of the families. The reference is the environment that apply_chat_template
compiles templates with; versions are in versions.json. A case is [conversation, tools, generation prompt, variables,
result], the first four by their place in input.json; the result is the text, or {"raised": words of raise_exception}, or
{"error": kind}. Texts that come again are given once.
"""
import copy, datetime, glob, json, os, sys
import jinja2, transformers
from transformers.utils import chat_template_utils as reference

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE
NOW = datetime.datetime(2025, 3, 9, 17, 5, 2)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


reference.datetime = Clock


def user(c): return {"role": "user", "content": c}
def system(c): return {"role": "system", "content": c}
def said(c, **more): return {"role": "assistant", "content": c, **more}
def call(name, args, id="call12345"): return {"id": id, "type": "function", "function": {"name": name, "arguments": args}}
def answer(c, id="call12345"): return {"role": "tool", "content": c, "tool_call_id": id, "name": "forecast"}


CONVERSATIONS = [
    [], [user("Hi")], [user("")], [system("Be brief."), user("Hi")], [system(""), user("x")], [user("a"), said("b"), user("c")],
    [system("s\n"), user(" a \n"), said(" b\n\n"), user("\tc ")],
    [user("日本語 👩‍👩‍👧 ÀÉ \u00a0nbsp\u2003"), said("naïve"), user("<|im_end|> </s> [/INST] <|eot_id|> <|end|>")],
    [user("a"), said("<think>\nhmm\n</think>\n\nok"), user("q\"'\\n"), said("<think>x</think>y")],
    [user("a"), said("x", reasoning_content="because"), user("b"), said("y", reasoning_content="\nmore\n")],
    [said("first"), user("b")], [user("a"), user("b")], [user("a"), said("b")], [system("a"), system("b"), user("c")],
    [user("w?"), said("", tool_calls=[call("forecast", {"city": "Bern", "days": 2, "deep": {"a": [1.5, 2], "b": None, "c": True}})]),
     answer('{"t": 3}'), said("It is 3."), user("thanks")],
    [user("w?"), said("let me see", tool_calls=[call("forecast", {"city": "Zürich <&>'"}, "call00001"), call("noargs", {}, "call00002")]),
     answer("3", "call00001"), answer("4", "call00002"), user("so?")],
    [user("w?"), said(None, tool_calls=[call("forecast", {"n": 123456789012345678901234567890, "f": 1e-7})]), answer("3")],
    [user("w?"), said("", tool_calls=[call("forecast", "{\"city\": \"Bern\"}", "short")]), answer("3")],
    [answer("lonely")], [{"role": "weird", "content": "x"}], [{"role": "user", "content": None}],
    [user("line one\nline two\r\n\r\n  indented\n\n\n"), said("\u2028sep\x1c"), user("end")], [user("x" * 40)],
]
TOOLS = [None, [
    {"type": "function", "function": {"name": "forecast", "description": "The weather \"to come\" <b>&'", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "such as Zürich"},
                                         "days": {"type": "integer", "minimum": 1, "default": 3}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "noargs", "description": "nothing", "parameters": {"type": "object", "properties": {}}}}]]
VARIABLES = [{}, {"enable_thinking": False}, {"date_string": "5 May 2026", "tools_in_user_message": False}]


def result(template, messages, tools, prompt, variables):
    try:
        return template.render(messages=reference._alias_reasoning_fields(copy.deepcopy(messages)), tools=tools, documents=None,
                               add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>", **variables)
    except jinja2.exceptions.TemplateError as e:
        if type(e) is jinja2.exceptions.TemplateError:  # raise_exception
            return {"raised": e.message}
        return {"error": type(e).__name__}
    except Exception as e:
        return {"error": type(e).__name__}


if __name__ == "__main__":
    json.dump({"conversations": CONVERSATIONS, "tools": TOOLS, "variables": VARIABLES, "now": NOW.isoformat() + "Z"},
              open(os.path.join(OUT, "input.json"), "w"), indent=1)
    for path in sorted(glob.glob(os.path.join(HERE, "*.jinja"))):
        template = reference._compile_jinja_template(open(path, newline="").read())
        texts, cases = {}, []
        for c, messages in enumerate(CONVERSATIONS):
            for t, tools in enumerate(TOOLS):
                for prompt in (False, True):
                    for v, variables in enumerate(VARIABLES):
                        r = json.dumps(result(template, messages, tools, prompt, variables))
                        cases.append([c, t, int(prompt), v, texts.setdefault(r, len(texts))])
        with open(os.path.join(OUT, os.path.basename(path)[:-6] + ".golden.json"), "w") as f:
            f.write('{"texts": [\n' + ",\n".join(texts) + '],\n"cases": ' + json.dumps(cases, separators=(",", ":")) + "}\n")
    json.dump({m.__name__: m.__version__ for m in (transformers, jinja2)}, open(os.path.join(OUT, "versions.json"), "w"), indent=1)
