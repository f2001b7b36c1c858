"""The command line: ``jetkit VERB [NAME | FILE.yaml] [key=value ...]``; parse, call the library, print."""

# isort: off
# A verb registers itself when its file is imported; the help page lists them in this order.
from jetkit.cli import simulate, get, convert, map, show  # noqa: F401
from jetkit.cli import train, ensemble, evaluate, predict, report, leaderboard, scaling, examine  # noqa: F401
from jetkit.cli import reproduce, import_model, export  # noqa: F401
from jetkit.cli import pretrain, adapt, embed, transfer, generate  # noqa: F401
from jetkit.cli import demo, catalogue, doctor  # noqa: F401
from jetkit.cli.grammar import app
from jetkit.cli.process import heed_signals, keep_freed_memory

__all__ = ["app", "main"]


def main() -> None:
    """Run the program ``jetkit``."""
    keep_freed_memory()
    heed_signals()
    app(prog_name="jetkit")
