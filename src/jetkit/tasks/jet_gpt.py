"""The language of QCD jets, learned word by word."""

from __future__ import annotations

from jetkit.models.jet_gpt import JetGPT
from jetkit.registry import register
from jetkit.tasks.next_word import NextWord
from jetkit.tasks.task import TASK


@register(
    "jet-gpt",
    kind=TASK,
    paper="Learning the Language of QCD Jets with Transformers, 2023, arXiv:2303.07364",
)
class JetGPTPretext(NextWord):
    """Say the bin of the next softer particle, or that there is none, from all harder ones."""

    language = JetGPT
    name = "jet-gpt"
