"""Results that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import TypeAdapter

from jetkit.config import build


class Record:
    """A frozen dataclass of plain values that goes to JSON and back."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON has them: mappings, lists, numbers, words and None."""
        values: dict[str, Any] = TypeAdapter(type(self)).dump_python(self, mode="json")
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The record that `to_dict` gave.

        Raises:
            ConfigError: a field is unknown, missing or of the wrong type.
        """
        return build(cls, values, f"the record {cls.__name__}")
