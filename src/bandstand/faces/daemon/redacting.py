"""The last step before an answer leaves the daemon, for every face: what looks like a secret is taken out of it.

A patch is left as it is. It is what a reviewer decides about and what git applies: hiding a secret that is about to
land would be the worst thing to do about it. Object keys are names of ours, and stay.
"""

from bandstand.domain.redaction import Redaction
from bandstand.faces.wire import Json

WHOLE = frozenset({"patch"})
"""Keys whose texts are shown as they are."""

OURS = frozenset({"at", "glyph", "kind", "mark", "offset", "owner", "repository", "run", "since", "type", "until"})
"""Keys whose texts are of our making: nothing has to be looked for in them."""

_AS_IT_IS = WHOLE | OURS


def shown(value: Json, redaction: Redaction) -> Json:
    """An answer as it may be shown now."""
    redaction.refresh()
    return _shown(value, redaction)


def _shown(value: Json, redaction: Redaction) -> Json:
    match value:
        case str():
            return redaction.text(value)
        case dict():
            return {key: item if key in _AS_IT_IS else _shown(item, redaction) for key, item in value.items()}
        case list() | tuple():
            return [_shown(item, redaction) for item in value]
        case _:
            return value
