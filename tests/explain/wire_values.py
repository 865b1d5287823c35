"""Wire values in the forms that a person writes."""

from typing import Any


def written_plainly(value: Any) -> Any:
    """Wire values as a person would write them: bytes as text of that many characters."""
    match value:
        case bytes():
            return value.decode("latin-1")
        case dict():
            return {key: written_plainly(entry) for key, entry in value.items()}
        case list():
            return [written_plainly(item) for item in value]
    return value
