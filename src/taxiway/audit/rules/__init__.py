"""The rules of `taxiway audit`: values with a function over the image. To add a module, name its `RULES` here."""

from taxiway.audit.rules import content, files, metadata, running, secrets, users
from taxiway.audit.rules.rule import Rule

RULES: tuple[Rule, ...] = (*users.RULES, *files.RULES, *secrets.RULES, *metadata.RULES, *content.RULES)
EVERY: tuple[Rule, ...] = (*RULES, secrets.canary(()), content.size_budget(1), *running.RULES)
"""With those that need a value, or a container."""
