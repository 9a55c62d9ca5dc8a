"""Server arguments: split as a shell would, without one."""

import pytest

from taxiway.arguments import split
from taxiway.errors import IncompleteExpressionError

ENVIRON = {"HOME": "/home/x", "A": "1 2", "EMPTY": "", "EVIL": "$(id) `id` ${HOME} ' \" \\", "a_1": "low"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n ", []),
        ("--a --b=c", ["--a", "--b=c"]),
        ("  --a\n--b\t--c ", ["--a", "--b", "--c"]),
        ("--a 'b c'", ["--a", "b c"]),
        ('--a "b c"', ["--a", "b c"]),
        ("--a='b c'd", ["--a=b cd"]),
        ("''", [""]),
        ('--name "" x', ["--name", "", "x"]),
        ("""'a"b' "c'd" """, ['a"b', "c'd"]),
        (r"a\ b", ["a b"]),
        (r"\"a\'", ["\"a'"]),
        (r'"a\"b\\c\d"', [r'a"b\c\d']),
        (r"'a\b'", [r"a\b"]),
        ("--a \\\n  --b", ["--a", "--b"]),
        ("a#b # c", ["a#b", "#", "c"]),
        ("a;b|c&d>e*", ["a;b|c&d>e*"]),
        ("%(h)s '%(r)s'", ["%(h)s", "%(r)s"]),
        ("é 'ü ö'", ["é", "ü ö"]),
        # variables
        ("$HOME", ["/home/x"]),
        ("${HOME}/b", ["/home/x/b"]),
        ("--x=$HOME/$a_1.log", ["--x=/home/x/low.log"]),
        ("$A", ["1 2"]),
        ('"$A"', ["1 2"]),
        ("'$A'", ["$A"]),
        ("'${A} ${'", ["${A} ${"]),
        (r"\$A", ["$A"]),
        (r'"\$A"', ["$A"]),
        ("\"it's $HOME, isn't it\"", ["it's /home/x, isn't it"]),
        ("'a'$HOME'b'", ["a/home/xb"]),
        ("$NONE", []),
        ("a $NONE b", ["a", "b"]),
        ('a "$NONE" b', ["a", "", "b"]),
        ("a${EMPTY}b", ["ab"]),
        ("$ $5 a$ $%", ["$", "$5", "a$", "$%"]),
        ("${NONE:-8}", ["8"]),
        ("${EMPTY:-8}", ["8"]),
        ("${HOME:-8}", ["/home/x"]),
        ('"${NONE:-a b}"', ["a b"]),
        ("${NONE:-a b}", ["a b"]),
        ("${NONE:-}x", ["x"]),
        ("$EVIL", ["$(id) `id` ${HOME} ' \" \\"]),
        ("${NONE:-a:-b}", ["a:-b"]),
    ],
)
def test_split(text: str, words: list[str]) -> None:
    assert split(text, ENVIRON, "TAXIWAY_SERVER_ARGS") == words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$(id)", "a command substitution would be run"),
        ("a `id`", "a command substitution would be run"),
        ('"$(id)"', "a command substitution would be run"),
        ('"`id`"', "a command substitution would be run"),
        ("$((1+1))", "a command substitution would be run"),
        ("x'y'$(id)", "a command substitution would be run"),
        (r"\\$(id)", "a command substitution would be run"),
        ("'a", "no closing '"),
        ('a "b', 'no closing "'),
        ("a\\", "no character after the backslash at the end"),
        ("${HOME", "${...} takes a name, or a name and :-default without quotes"),
        ("${}", "${...} takes a name, or a name and :-default without quotes"),
        ("${1}", "${...} takes a name, or a name and :-default without quotes"),
        ("${HOME:=x}", "${...} takes a name, or a name and :-default without quotes"),
        ("${HOME%x}", "${...} takes a name, or a name and :-default without quotes"),
        ("${!HOME}", "${...} takes a name, or a name and :-default without quotes"),
        ("${A:-$(id)}", "${...} takes a name, or a name and :-default without quotes"),
        ("${A:-`id`}", "${...} takes a name, or a name and :-default without quotes"),
        ("${A:-${B}}", "${...} takes a name, or a name and :-default without quotes"),
        ("${A:-'b c'}", "${...} takes a name, or a name and :-default without quotes"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(IncompleteExpressionError) as caught:
        split(text, ENVIRON, "TAXIWAY_SERVER_ARGS")
    assert str(caught.value) == (
        f"Couldn't split the server arguments in TAXIWAY_SERVER_ARGS: {reason}.\nFound: {text}\n\n"
        "Expected words as in a shell, with quotes closed; no command substitution."
    )


@pytest.mark.parametrize("text", [r"\$(id)", r"\`id\`", "'$(id)'", "'`id`'", r'"\$(id) \`id\`"'])
def test_what_is_quoted_is_text(text: str) -> None:
    assert all("id" in word for word in split(text, {}, "x"))
