"""Each rule of `taxiway audit`: an image that breaks it, and one that doesn't."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from saved_images import Layer, directory, file, findings, link

from taxiway.audit.rules import RULES

CAPABILITY = {"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04"}

# Rule; layers and configuration that break it; the paths found; layers and configuration that don't.
Case = tuple[str, Sequence[Layer], Mapping[str, Any], list[str], Sequence[Layer], Mapping[str, Any]]
CASES: list[Case] = [
    *(
        ("U1", [], {"User": user}, ["config.User"], [], {"User": "1001:0"})
        for user in ("", "0", "0:0", "00", "+1", "root", "01", "1:x")
    ),
    ("U6", [[file("etc/passwd", mode=0o664)]], {}, ["/etc/passwd"], [[file("etc/passwd"), file("etc/shadow", mode=0o640)]], {}),
    ("U6", [[file("lib/accounts", mode=0o666), link("etc/group", "../lib/accounts")]], {}, ["/lib/accounts"], [], {}),
    ("F1", [[file("bin/su", mode=0o4755), file("bin/write", mode=0o2755)]], {}, ["/bin/su", "/bin/write"], [], {}),
    ("F1", [[file("bin/su", mode=0o4755)], []], {}, ["/bin/su"], [[directory("shared", mode=0o2775)]], {}),
    ("F1", [[file("bin/su", mode=0o4755)]], {}, ["/bin/su"], [[file("bin/su", mode=0o4755)], [file("bin/su", mode=0o755)]], {}),
    ("F2", [[file("bin/ping", pax_headers=CAPABILITY)]], {}, ["/bin/ping"], [[file("bin/ping")]], {}),
]


@pytest.mark.parametrize(("rule", "bad", "bad_config", "paths", "good", "good_config"), CASES)
def test_rule(  # noqa: PLR0917
    rule: str,
    bad: Sequence[Layer],
    bad_config: Mapping[str, Any],
    paths: list[str],
    good: Sequence[Layer],
    good_config: Mapping[str, Any],
) -> None:
    """The bad image breaks the rule at these paths, the good one doesn't."""
    rules = [row for row in RULES if row.id == rule]
    assert [finding.path for finding in findings(rules, *bad, config=bad_config)] == paths
    assert findings(rules, *good, config=good_config) == []
