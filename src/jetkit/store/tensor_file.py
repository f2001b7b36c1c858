"""Tensors and plain values in one safetensors file with a JSON header, written atomically and read without code.

Layout: safetensors, whose metadata hold two texts: ``header``, JSON, and ``sha256``, the hash of the header and of all
tensors with their names, types and shapes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from jetkit.data.atomic import write_bytes
from jetkit.errors import JetkitError

LONGEST_HEADER = 2**24
"""Size of the longest header that is read, in bytes."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header to a file atomically.

    Raises:
        JetkitError: the file cannot be written.
    """
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    content = _ordered(safetensors.torch.save(plain, {"header": text, "sha256": _hash(plain, text)}))
    assert int.from_bytes(content[:8], "little") <= LONGEST_HEADER, "the header is too long to be read again"
    write_bytes(path, content)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the header of a file.

    Raises:
        JetkitError: there is no such file, it is not one of jetkit's, or it is damaged.
    """
    content = _content(path)
    header, sha256 = _header(content, path)
    try:
        tensors = safetensors.torch.load(content)
        right = sha256 == _hash(tensors, header)
    except Exception as error:  # the library raises many kinds, all of which mean the same
        raise JetkitError(f"{path} is damaged ({_short(error)!r}): copy or make it again") from None
    if not right:
        raise JetkitError(f"{path} is damaged (its checksum differs): copy or make it again")
    parsed: dict[str, Any] = json.loads(header)
    return tensors, parsed


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Compute the SHA-256 hash of a file.

    Raises:
        JetkitError: the file cannot be read.
    """
    return hashlib.sha256(_content(path)).hexdigest()


def weights_hash(path: str | os.PathLike[str]) -> str:
    """Compute the hash of the tensors in a file, independent of its header.

    Raises:
        JetkitError: as `read_tensors`.
    """
    return _hash(read_tensors(path)[0], "")


def _content(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise JetkitError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise JetkitError(f"cannot read {str(path)!r}: {error}") from error


def _ordered(content: bytes) -> bytes:
    """Return the file content with its header in alphabetical order, which the library does not guarantee."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _header(content: bytes, path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the two texts in the metadata of a file."""
    foreign = JetkitError(f"{path} is no file of jetkit's, or is cut off: foreign weights come in by jetkit import")
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, LONGEST_HEADER):
        raise foreign
    try:
        metadata = json.loads(content[8 : 8 + length].decode())["__metadata__"]
        header, sha256 = metadata["header"], metadata["sha256"]
        parsed = json.loads(header, parse_constant=_refuse)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise foreign from None
    if not isinstance(sha256, str) or not isinstance(parsed, dict):
        raise foreign
    return header, sha256


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON lacks but Python reads."""
    raise ValueError(constant)


def _hash(tensors: Mapping[str, Tensor], header: str) -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:80]
