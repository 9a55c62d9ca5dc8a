"""The rules of `taxiway audit`: values with a function over the image. To add a module, name its `RULES` here."""

from taxiway.audit.rules import content, files, metadata, secrets, users
from taxiway.audit.rules.rule import Rule

RULES: tuple[Rule, ...] = (*users.RULES, *files.RULES, *secrets.RULES, *metadata.RULES, *content.RULES)
