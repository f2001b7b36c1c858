"""The verbs of the command line that are more than one call: evaluate, report, examine, embed, generate, cost."""
