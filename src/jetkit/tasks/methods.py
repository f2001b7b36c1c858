"""Methods of pretraining: one file a method. A new one is a file and a line here."""

from jetkit.tasks.p_jepa import PJEPA
