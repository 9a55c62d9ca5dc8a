"""What is installed looks the same whichever installer it was."""

import pytest
from trees import Tree

from taxiway.dependencies import finish, records
from taxiway.layout import Layout

SITE = "lib/python3.13/site-packages"
ENTRY_POINTS = """\
[console_scripts]
shop = shop.cli:main
Shop-Admin=shop.cli : group.admin [extra]
absent = shop:absent

[gui_scripts]
shop-window = shop.window:main

[shop.plugins]
x = shop.plugins:x
"""


def test_console_scripts() -> None:
    found = finish.console_scripts(ENTRY_POINTS, "/opt/app-root/bin/python")
    assert list(found) == ["shop", "Shop-Admin", "absent", "shop-window"]
    assert found["shop"] == (
        "#!/opt/app-root/bin/python\n"
        "import sys\n\n"
        "from shop.cli import main\n\n"
        'if __name__ == "__main__":\n'
        "    sys.exit(main())\n"
    )
    assert "from shop.cli import group\n" in found["Shop-Admin"]
    assert "sys.exit(group.admin())\n" in found["Shop-Admin"]
    assert finish.console_scripts("", "") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ('{"url": "file:///tmp/build/x.whl", "archive_info": {}}', None),
        ('{"url":"https://h/x.whl","archive_info":{}}', '{"archive_info": {}, "url": "https://h/x.whl"}\n'),
        (
            '{"url":"https://h/x.whl","archive_info":{"hashes":{"sha256":"0"}}}',
            '{"archive_info": {}, "url": "https://h/x.whl"}\n',
        ),
        ('{"url": "https://u:canary@h/x.whl"}', '{"url": "https://h/x.whl"}\n'),
        ('{"url": "ssh://git@h/x.git"}', '{"url": "ssh://git@h/x.git"}\n'),  # PEP 610 lets this one stay
    ],
)
def test_direct_url(text: str, expected: str | None) -> None:
    assert finish.direct_url(text) == expected


def test_finish(tree: Tree) -> None:
    info = "shop-1.dist-info"
    top = tree(
        {
            f"{SITE}/{info}/{name}": text
            for name, text in {
                "INSTALLER": "pip\n",
                "uv_cache.json": "{}",
                "direct_url.json": '{"url": "file:///tmp/src"}',
                "entry_points.txt": ENTRY_POINTS,
                "RECORD": (
                    "../../../bin/shop,sha256=old,1\n"
                    f"{info}/uv_cache.json,sha256=old,2\n{info}/direct_url.json,sha256=old,2\n"
                    f"{info}/INSTALLER,sha256=old,4\n{info}/RECORD,,\nshop/cli.py,sha256=kept,0\n"
                ),
            }.items()
        }
        | {"bin/shop": "", "src/": ""}
    )
    layout = Layout(str(top), f"{top}/src")
    (distribution,) = records.distributions(layout)
    finish.finish([distribution], layout)
    assert {entry.path: entry.digest for entry in distribution.entries()} == {
        "../../../bin/shop": records.digest((top / "bin/shop").read_bytes()),
        f"{info}/INSTALLER": records.digest(b"taxiway\n"),
        f"{info}/RECORD": "",
        "shop/cli.py": "sha256=kept",
    }
    assert (top / "bin/shop").read_text().startswith(f"#!{top}/bin/python\n")
    assert not (top / "bin/absent").exists(), "the installer made none"
    assert not (top / SITE / info / "direct_url.json").exists()
    assert not (top / SITE / info / "uv_cache.json").exists()
