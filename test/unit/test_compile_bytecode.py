"""Compiling: only what isn't compiled yet, and so that file times don't matter."""

import importlib.util
import os
import py_compile
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trees import Tree

from taxiway_runtime import compile_bytecode
from taxiway_runtime.compile_bytecode import compile_files, is_compiled, is_untouched, main, stale

HASHED = py_compile.PycInvalidationMode.UNCHECKED_HASH


def pyc(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path)))


@pytest.fixture
def module(tree: Tree) -> Path:
    path = tree({"x.py": "VALUE = 1\n"}) / "x.py"
    py_compile.compile(str(path), doraise=True, invalidation_mode=HASHED)
    return path


def test_compiled(module: Path) -> None:
    assert is_compiled(str(module))


def test_the_header_says_unchecked(module: Path) -> None:
    """PEP 552: flags 0b01, so that the import doesn't even look at the source."""
    header = pyc(module).read_bytes()[:16]
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(header[4:8], "little") == 0b01
    assert header[8:] == importlib.util.source_hash(module.read_bytes())


def test_edited_source(module: Path) -> None:
    module.write_text("VALUE = 2\n")
    assert not is_compiled(str(module))
    assert compile_files([str(module)]) == []
    assert is_compiled(str(module))


def test_times_do_not_matter(module: Path) -> None:
    os.utime(module, (1, 1))
    assert is_compiled(str(module))


@pytest.mark.parametrize("mode", [py_compile.PycInvalidationMode.TIMESTAMP, py_compile.PycInvalidationMode.CHECKED_HASH])
def test_other_kinds_of_bytecode(module: Path, mode: py_compile.PycInvalidationMode) -> None:
    py_compile.compile(str(module), doraise=True, invalidation_mode=mode)
    assert not is_compiled(str(module))


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x00" * 16])
def test_damaged_bytecode(module: Path, content: bytes) -> None:
    pyc(module).write_bytes(content)
    assert not is_compiled(str(module))


def test_bytecode_of_another_python(module: Path) -> None:
    pyc(module).write_bytes(b"\x00\x00\r\n" + pyc(module).read_bytes()[4:])
    assert not is_compiled(str(module))


def test_no_bytecode_and_no_source(module: Path) -> None:
    pyc(module).unlink()
    assert not is_compiled(str(module))
    assert not is_compiled(str(module.with_name("y.py")))


def test_stale(tree: Tree) -> None:
    top = tree({"a.py": "", "b/c.py": "", "b/d.txt": "", ".git/e.py": "", "__pycache__/f.py": "", "b/g.pyi": ""})
    assert sorted(stale(str(top))) == [f"{top}/a.py", f"{top}/b/c.py"]
    assert compile_files([f"{top}/a.py"]) == []
    assert list(stale(str(top))) == [f"{top}/b/c.py"]
    assert list(stale(str(top / "none"))) == []


def test_what_was_not_touched_is_trusted(module: Path) -> None:
    """A hook may have changed a package, and given the file the times of its old one; it can't set the inode's own time."""
    long_ago, soon = 1, time.time() + 60
    assert is_untouched(str(module), soon)
    assert not is_untouched(str(module), 0)
    assert not is_untouched(str(module), long_ago)
    assert list(stale(str(module.parent), soon)) == []
    os.utime(pyc(module), (long_ago, long_ago))
    assert not is_untouched(str(module), soon), "the source is newer"
    pyc(module).unlink()
    assert not is_untouched(str(module), soon)


def test_tests_of_packages_are_left_out(tree: Tree) -> None:
    """They are a third of a large environment; those of the application itself are few, and its own matter."""
    top = tree({"site-packages/a/tests/b.py": "", "site-packages/a/test/c.py": "", "src/tests/d.py": ""})
    assert list(stale(f"{top}/site-packages")) == [f"{top}/site-packages/a/test/c.py"]
    assert list(stale(f"{top}/src")) == [f"{top}/src/tests/d.py"]


def test_files_that_are_not_python(tree: Tree) -> None:
    top = tree({"good.py": "x = 1\n", "bad.py": "x = (\n", "old.py": "print 'x'\n"})
    (top / "latin.py").write_bytes(b"x = '\xe9'\n")
    (top / "null.py").write_bytes(b"x = '\x00'\n")
    (top / "broken.py").symlink_to("nowhere.py")
    names = ["bad.py", "broken.py", "good.py", "latin.py", "null.py", "old.py"]
    problems = compile_files([f"{top}/{name}" for name in names])
    assert [line.partition(": ")[0] for line in problems] == [f"{top}/{name}" for name in names if name != "good.py"]
    assert all(len(line.splitlines()) == 1 for line in problems)
    assert is_compiled(f"{top}/good.py")


def test_main(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    top = tree({"a/x.py": "x = 1\n", "b/y.py": "y = (\n"})
    main(["0", f"{top}/a", "0", f"{top}/b"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 files compiled"
    assert lines[1].startswith(f"not compiled: {top}/b/y.py: ")
    main(["0", f"{top}/a"])
    assert capsys.readouterr().out == "0 files compiled\n"


@pytest.mark.programs
def test_many_files_in_several_processes(tree: Tree) -> None:
    top = tree({f"{n}.py": f"x = {n}\n" for n in range(250)})
    argv = [sys.executable, "-I", compile_bytecode.__file__, "0", str(top)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "250 files compiled\n"
    assert list(stale(str(top))) == []


@pytest.mark.programs
def test_the_interpreter_uses_it(module: Path) -> None:
    """Without a look at the source: it may be newer, or gone from the layer's point of view."""
    module.write_text("VALUE = 2\n")
    argv = [sys.executable, "-c", "import x; print(x.VALUE)"]
    assert subprocess.run(argv, cwd=module.parent, capture_output=True, text=True, check=True).stdout == "1\n"
