"""The reference of scores, in Markdown, out of the table that the validator follows."""

from bandstand.config.score_form import A_LOT, ONLY_IF, PART, SCORE, STEPS, TASK, Field, Form, Kind


def describe() -> str:
    """The reference of all that a score may say, in Markdown. Equal tables give equal text."""
    lines = ["## Parts", "", *_fields(SCORE), *_fields(TASK), *_fields(PART), "## Steps", ""]
    for step in (*STEPS.values(), ONLY_IF):
        title = "## Any step: `only_if`" if step is ONLY_IF else f"### `{step.name}`"
        short = f" A plain value is its `{step.main}`." if step.main else ""
        lines += [title, "", step.about + short, "", "```yaml", step.example, "```", "", *_fields(step)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _fields(form: Form, *, above: str = "") -> list[str]:
    """The rows of a form's table; those of a field's own fields follow it."""
    head = []
    if not above:
        about = [form.about, ""] if form in (SCORE, TASK, PART) else []
        head = [*about, f"| field of {_article(form.name)} | holds | what it is |", "|---|---|---|"]
    rows = []
    for field in form.fields:
        must = " (needed)" if field.required else ""
        rows.append(f"| `{above}{field.name}`{must} | {_holds(field)} | {field.about} |")
        if field.kind in (Kind.RECORD, Kind.RECORDS) and field.form and field.form is not PART:
            rows += _fields(field.form, above=f"{above}{field.name}.")
    one = f"One of {', '.join(f'`{name}`' for name in form.one_of)} is needed." if form.one_of else ""
    most = f"At most one of {', '.join(f'`{name}`' for name in form.at_most)} is given." if form.at_most else ""
    after = [sentence for sentence in (one, most) if sentence]
    return [*head, *rows] if above else [*head, *rows, "", *(line for one in after for line in (one, ""))]


def _holds(field: Field) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.kind in (Kind.WHOLE, Kind.NUMBER):
        least = f" from {field.least}" if field.least != -A_LOT else ""
        return f"{field.kind}{least}" + (f" to {field.most}" if field.most != A_LOT else "")
    if field.kind is Kind.RECORDS:
        return f"list of {'entries' if field.name == 'entries' else field.name}"
    return str(field.kind)


def _article(name: str) -> str:
    return f"a {name}" if name in (SCORE.name, TASK.name, PART.name) else f"`{name}`"
