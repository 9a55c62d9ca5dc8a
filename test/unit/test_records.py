"""What is installed, compared with what was installed."""

import pytest
from trees import Tree

from taxiway.cli.verify import verify_files
from taxiway.dependencies import records
from taxiway.dependencies.records import Entry
from taxiway.errors import FilesDifferError
from taxiway.layout import Layout

X_IS_1, X_IS_2 = b"x = 1\n", b"x = 2\n"
SHEBANG = b"#!/opt/app-root/bin/python\n"
SITE = "lib/python3.13/site-packages"
FILES = {
    f"{SITE}/web/__init__.py": "x = 1\n",
    "bin/web": "#!/opt/app-root/bin/python\n",
    f"{SITE}/Web_Tool-1.2.dist-info/RECORD": (
        f"web/__init__.py,{records.digest(X_IS_1)},6\n"
        f"../../../bin/web,{records.digest(SHEBANG, 'sha512')},27\n"
        "web/__pycache__/__init__.cpython-313.pyc,,\n"
        "Web_Tool-1.2.dist-info/RECORD,,\n"
    ),
    f"{SITE}/web/__pycache__/__init__.cpython-313.pyc": "bytecode",
}


def layout_of(tree: Tree, files: dict[str, str]) -> Layout:
    top = tree(files)
    return Layout(str(top), f"{top}/src")


def test_files_as_they_were_installed(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    layout = layout_of(tree, FILES)
    (found,) = records.distributions(layout)
    assert (found.name, found.version) == ("web-tool", "1.2")
    assert found.entries()[0] == Entry(path="web/__init__.py", digest=records.digest(b"x = 1\n"), size="6")
    verify_files(layout)
    assert capsys.readouterr().out == "---> 1 packages have the files that were installed\n"


def test_files_that_differ(tree: Tree) -> None:
    layout = layout_of(tree, FILES | {f"{SITE}/web/__init__.py": "x = 2\n", f"{SITE}/bare-1.dist-info/METADATA": ""})
    root = layout.app_root
    tree({}).joinpath("bin/web").unlink()
    with pytest.raises(FilesDifferError) as caught:
        verify_files(layout)
    assert str(caught.value) == (
        "Of the installed files, 3 aren't as their packages' RECORD has them:\n"
        "  bare 1: it has no RECORD\n"
        f"  web-tool 1.2: {root}/{SITE}/web/__init__.py: expected {records.digest(X_IS_1)}, "
        f"found {records.digest(X_IS_2)}\n"
        f"  web-tool 1.2: {root}/bin/web: No such file or directory\n\n"
        "If nothing was meant to change them, don't trust this image: build it again from the lock."
    )


def test_record_is_written_in_order(tree: Tree) -> None:
    layout = layout_of(tree, FILES)
    (found,) = records.distributions(layout)
    records.write(found, [records.entry("b,c.py", b""), Entry(path="a.py", digest="", size="")])
    assert found.record.read_text() == f'a.py,,\n"b,c.py",{records.digest(b"")},0\n'
