"""Writes docs/reference/json.md: what every verb prints with `--json`. With `--check` it fails instead of writing.

The shapes of what the daemon answers are those of the HTTP API, made from the read models themselves; what a verb puts
together by itself has its shape here. The end-to-end tests hold what is printed to them.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bandstand.faces.cli.verbs import every
from bandstand.faces.daemon.http.shapes import NUMBER, TEXT, schemas, several, things
from bandstand.faces.wire import Json
from scripts.json_words import RECORDS, words_for

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "json.md"
LINES = "lines of "
"""What stands before a shape that is printed again and again, one value on each line."""

FLAG: Json = {"type": "boolean"}
ANY: Json = {"type": "object"}


def ref(name: str) -> Json:
    """A record that has a table of its own."""
    return {"$ref": f"#/components/schemas/{name}"}


_REMAINS = schemas()["Remains"]["properties"]["things"]

OWN: Mapping[str, Json] = {
    "Answered": things({"answered": several(TEXT)}),
    "AskList": several(ref("Ask")),
    "Bundle": things(
        {"file": TEXT, "bytes": NUMBER, "entries": several(things({"name": TEXT, "about": TEXT, "bytes": NUMBER}))}
    ),
    "Cleared": things({"cleared": FLAG, "things": _REMAINS, "bytes": NUMBER, "abandoned": _REMAINS}),
    "Checkpointed": things({"task": TEXT, "number": NUMBER}),
    "Forked": things({"task": TEXT, "from": TEXT, "checkpoint": NUMBER}),
    "GoesBack": things({"task": TEXT, "checkpoint": NUMBER}),
    "Demo": things({"repository": TEXT, "tasks": several(ref("Row")), "tests_pass": FLAG, "asks": several(ref("Ask"))}),
    "DemoCleaned": things({"removed": several(TEXT), "kept": several(TEXT)}),
    "Doctor": things({"ok": FLAG, "findings": several(things({"level": TEXT, "what": TEXT, "cure": TEXT}))}),
    "Opened": things({**dict.fromkeys(("task", "run", "url", "network"), TEXT), "port": NUMBER, "listens": FLAG}),
    "Exported": things({"path": TEXT, "tasks": NUMBER, "facts": NUMBER, "bytes": NUMBER}),
    "Purged": things({"removed": several(TEXT), "kept": several(TEXT), "bytes": NUMBER}),
    "Down": things({"agents": NUMBER}, optional={"pid": NUMBER, "running": FLAG}),
    "End": things({"kind": {"enum": ["end"]}, "tasks": several(ref("Row"))}),
    "Entry": things({"run": TEXT, "at_ms": NUMBER, "offset": NUMBER, "kind": TEXT, "text": TEXT}),
    "Fact": things({"kind": {"enum": ["fact"]}, "sequence": NUMBER, "at": TEXT, "type": TEXT, "event": ANY}),
    "Login": things({"agent": TEXT, "kind": TEXT, "state": TEXT, "command": TEXT}),
    "Retried": things({"task": TEXT, "facts": several(TEXT)}),
    "Script": things({"shell": TEXT, "script": TEXT}),
    "Sent": things({"task": TEXT, "asks": several(TEXT)}),
    "Halted": things(
        {
            "daemon": FLAG,
            "ended": NUMBER,
            "left": NUMBER,
            "repositories": schemas()["Stopped"]["properties"]["repositories"],
        }
    ),
    "HostNamed": things({"host": TEXT}),
    "Submitted": things({"tasks": several(TEXT), "target": TEXT}),
    "Taken": things({"task": TEXT}),
    "Up": things({"socket": TEXT, "pid": NUMBER, "api": several(things({"url": TEXT, "token_file": TEXT}))}),
    "Unit": things({"unit": TEXT, "there": FLAG, "commands": several(TEXT)}),
    "Verb": things(
        {
            **{"verb": TEXT, "does": TEXT, "usage": TEXT, "examples": several(TEXT)},
            "options": several(
                things({"names": several(TEXT), "value": TEXT, "choices": several(TEXT), "means": TEXT})
            ),
        }
    ),
    "Verbs": several(ref("Verb")),
}
"""What a verb puts together by itself."""

PRINTS: Mapping[str, Mapping[str, str]] = {
    "run": {"": f"{LINES}Fact, then End", "--detach": "Submitted", "--dry-run": "Plan"},
    "send": {"": "Sent"},
    "cancel": {"": "Taken"},
    "pause": {"": "Taken"},
    "resume": {"": "Taken", "--all": "Resumed"},
    "retry": {"": "Retried"},
    "stop": {"": "Halted"},
    "ps": {"": "Fleet", "--follow": f"{LINES}Fact, then End"},
    "queue": {"": "Queue"},
    "ports": {"": "Ports"},
    "open": {"": "Opened"},
    "show": {"": "Task"},
    "log": {"": f"{LINES}Entry"},
    "diff": {"": "Diff", "--stat": "Change or null"},
    "asks": {"": "AskList"},
    "answer": {"": "Answered"},
    "network": {"": "Network", "allow": "HostNamed", "revoke": "HostNamed"},
    "review": {"": "Review", "--approve": "Taken", "--request-changes": "Taken"},
    "checkpoint": {"": "Checkpointed"},
    "checkpoints": {"": "Checkpoints"},
    "rewind": {"": "GoesBack"},
    "fork": {"": "Forked"},
    "rescue": {"": "Rescues", "show": "RescueContent", "restore": "Restored", "prune": "Pruned"},
    "export": {"": "Exported"},
    "gc": {"": "Cleared"},
    "help": {"": "Verbs", "VERB": "Verb"},
    "agents": {"": "Agents", "login": "Login"},
    "doctor": {"": "Doctor", "--bundle": "Bundle"},
    "demo": {"": "Demo", "--clean": "DemoCleaned"},
    "up": {"": "Up", "--install-unit": "Unit", "--remove-unit": "Unit"},
    "down": {"": "Down"},
    "purge": {"": "Purged"},
    "completion": {"": "Script"},
}
"""What each verb prints: by the words that make a difference, the record that has a table on the page."""

BEGINNING = """\
# What `--json` prints

<!-- Written by scripts/json_reference.py. Change that, or the words in scripts/json_words.py. -->

Every verb takes `--json`, and then prints one value of JSON on standard output, or one on each line where it goes on.
Nothing else is written there, and what is here stays: keys may be added in any version, none is renamed or removed, and
no type changes, unless the changelog says so under "What you must change".

* A time is ISO 8601 with its offset. A key that has nothing to say is `null`, `""` or `[]`, and is there.
* What agents and repositories wrote is printed as they wrote it, but for [secrets](../explanation/secrets.md): clean it
  before you show it in a terminal.
* An error is JSON on standard output, too, with the exit code that it has without `--json`:

```json
{"error": {"kind": "refused", "message": "What is wrong, in sentences.", "hint": "What to do about it."}}
```

| `kind` | exit code | means |
|---|---|---|
| `refused` | 2 | the order or its input is wrong, and nothing was changed |
| `unknown` | 2 | what was named does not exist |
| `unavailable`, `outlived` | 3 | not available now: try again |
| `broken` | 70 | a person has to look |

The [HTTP API](api.md) answers with the same records.

## By verb

| verb | prints |
|---|---|
"""


def shapes() -> Mapping[str, Json]:
    """Every record by its name: those of the API, and our own."""
    api = dict(schemas())
    (change,) = (one for one in api["Task"]["properties"]["change"]["anyOf"] if one["type"] == "object")
    return {**api, "Change": change, **OWN}


def page() -> str:
    """The whole page."""
    lines = [BEGINNING.rstrip("\n")]
    for verb in every():
        for option, record in PRINTS[verb.name].items():
            lines.append(f"| `band {f'{verb.name} {option}'.strip()}` | {_linked(record)} |")
    lines.append("\n## Records")
    for name in _named():
        lines += _table(name)
    return "\n".join(lines) + "\n"


def _linked(record: str) -> str:
    """The name of a record, or of several in a sentence, each leading to its table."""
    words = [f"[{word}](#{word.strip(',').lower()})" if word[0].isupper() else word for word in record.split(" ")]
    return " ".join(word.replace(",](", "](").replace(")", "),", 1) if ",](" in word else word for word in words)


def _named() -> list[str]:
    """Every record that a verb prints, and those that these name; in the order in which they are met."""
    found: dict[str, None] = {}
    for verb in every():
        for record in PRINTS[verb.name].values():
            for word in record.replace(",", "").split():
                if word[0].isupper():
                    _reach(word, found)
    return list(found)


def _reach(name: str, found: dict[str, None]) -> None:
    if name not in found:
        found[name] = None
        for inner in _refs(shapes()[name]):
            _reach(inner, found)


def _refs(schema: Json) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _refs(value)


def _table(name: str) -> Iterator[str]:
    schema = shapes()[name]
    yield f"\n### {name}\n\n{RECORDS[name]}"
    if schema.get("type") == "array":
        return
    yield "\n| key | type | means |\n|---|---|---|"
    for path, kind in keys(schema):
        yield f"| `{path}` | {kind} | {words_for(name, path)} |"


def keys(schema: Json, before: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a record and of what is in it, with its type in words."""
    for name, inner in schema["properties"].items():
        optional = "" if name in schema["required"] else ", may be missing"
        path = f"{before}{name}"
        yield path, f"{_type(inner)}{optional}"
        for below, marks in _objects(inner, ""):
            yield from keys(below, f"{path}{marks}.")


def _objects(schema: Json, marks: str) -> Iterator[tuple[Json, str]]:
    """The objects that a value may be or hold, as far as they have no table of their own."""
    if schema.get("type") == "object" and "properties" in schema:
        yield schema, marks
    elif schema.get("type") == "array":
        yield from _objects(schema["items"], f"{marks}[]")
    for one in schema.get("anyOf", ()):
        yield from _objects(one, marks)


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type", "any value")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    return "time" if schema.get("format") == "date-time" else str(kind)


def main() -> int:
    text = page()
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if there == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/reference/json.md is not as the code says. Run `python -m scripts.json_reference`.")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print("docs/reference/json.md is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
