"""Rules R: what an image does when it is started; `--run` looks at them, by `behaviour`."""

from collections.abc import Iterable

from taxiway.audit.behaviour import Verdict
from taxiway.audit.image import Image
from taxiway.audit.rules.rule import Finding, Hit, Profile, Rule


def _by_running(_: Image) -> Iterable[Hit]:
    return ()


def _rule(number: int, title: str, source: str, fix: str, *profiles: Profile) -> Rule:
    return Rule(
        id=f"R{number}",
        title=title,
        severity="error",
        source=source,
        profiles=frozenset({"taxiway", *profiles}),
        fix=fix,
        check=_by_running,
    )


RULES = (
    _rule(
        1,
        "It runs as any user ID in group 0, without an entry in /etc/passwd",
        "OpenShift's guidelines for images, and its restricted-v2",
        "give group 0 the rights of the owner (fix-permissions), and look up no user name",
        "openshift",
    ),
    _rule(
        2,
        "It runs with a read-only root file system and a /tmp, without capabilities, with no-new-privileges",
        'Pod Security Standard "restricted"; CIS Docker 5.3, 5.12 and 5.25',
        "write below /tmp or into a volume, and listen on a port from 1024 on",
        "openshift",
        "kubernetes-restricted",
        "cis",
    ),
    _rule(
        3,
        "Another user ID can go on with the same volume",
        "OpenShift gives a project's pods another range where the project is made anew, with the old volume",
        "umask 0002, and no directory of mode 0700 on a volume",
        "openshift",
    ),
    _rule(
        4,
        "Process 1 reaps orphans",
        "a zombie keeps its process ID, and the pod's limit of those is a few hundred",
        'ENTRYPOINT ["dumb-init", "--single-child", "--"], or another init',
        "openshift",
        "kubernetes-restricted",
    ),
    _rule(
        5,
        "SIGTERM ends it in time, with status 0 or 143; a request in flight is answered (--slow-path)",
        "Kubernetes: SIGKILL follows after terminationGracePeriodSeconds",
        "exec the server, so that it gets the signal; give it a time for requests in flight",
        "openshift",
        "kubernetes-restricted",
    ),
    _rule(
        6,
        "It listens on PORT, on IPv4 and IPv6, on all interfaces",
        "Knative's and Cloud Run's contract for containers; a pod may have an address of either family alone",
        "take the port from the environment, and listen on [::] as well as 0.0.0.0",
        "openshift",
        "kubernetes-restricted",
    ),
    _rule(
        7,
        "It writes nothing into the root file system but where it says",
        "The Twelve-Factor App, XI; what grows there counts against the pod's ephemeral storage",
        "log to stdout; write below /tmp or into a volume; or name the place in the label io.taxiway.writable",
    ),
    _rule(
        8,
        "It starts without a network",
        "a start that downloads fails when the other side does",
        "fetch what is needed at the build",
    ),
    _rule(
        10,
        "A builder image says how it is used, and ends with 0",
        "S2I: the usage script",
        "CMD with the path of the usage script",
        "openshift",
    ),
)


def findings(verdicts: Iterable[Verdict], rules: Iterable[Rule]) -> tuple[list[Finding], dict[str, str]]:
    """Turn verdicts into findings, and the reasons why rules couldn't be looked at; of these rules alone; pure."""
    chosen = {rule.id: rule for rule in rules}
    found: list[Finding] = []
    unchecked: dict[str, str] = {}
    for verdict in verdicts:
        rule = chosen.get(verdict.rule)
        if rule and verdict.seen:
            found.append(Finding(rule=rule, path="container", layer=None, reason=verdict.seen, fix=rule.fix))
        elif rule and verdict.unknown:
            unchecked[rule.id] = verdict.unknown
    return found, unchecked
