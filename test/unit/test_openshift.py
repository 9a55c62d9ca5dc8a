"""The manifests in openshift/: every document against a strict schema, and what they say of each other.

Kubernetes' own kinds are checked by kubernetes-validate, for the oldest and the newest version in it;
OpenShift's kinds and the Kustomization by test/schemas. A kind without a schema is a failure. No cluster
takes part.
"""

import copy
import json
import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from referencing import Registry, Resource

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "openshift"
SCHEMAS = ROOT / "test" / "schemas"
PAGE = ROOT / "docs" / "openshift.md"
APP = "polls"
# OpenShift 4.12, the oldest release with long support, has Kubernetes 1.25.
KUBERNETES_VERSIONS = ("1.25", kubernetes_validate.latest_version())

Manifest = dict[str, Any]
Manifests = dict[tuple[str, str], Manifest]
"""Documents by kind and name."""


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: YAML's own loaders quietly take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def documents(text: str) -> list[Any]:
    """Read all YAML documents of a text; empty ones don't count."""
    return [body for body in yaml.load_all(text, StrictLoader) if body is not None]


def index(bodies: list[Manifest]) -> Manifests:
    """Sort documents by kind and name, of which each may exist once."""
    found: Manifests = {}
    for body in bodies:
        key = (body["kind"], body["metadata"]["name"])
        assert key not in found, f"twice: {key}"
        found[key] = body
    return found


def texts() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(MANIFESTS.glob("*.yaml"))}


def manifests(rename: str = APP) -> Manifests:
    return index([body for text in texts().values() for body in documents(text.replace(APP, rename))])


def kustomization() -> Manifest:
    body: Manifest
    (body,) = documents((MANIFESTS / "Kustomization").read_text())
    return body


# --- schemas


def own_schemas() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in sorted(SCHEMAS.glob("*.json"))}


def schema_errors(body: Manifest) -> Iterator[str]:
    """Check one document against its schema, ours if there is one, else Kubernetes'."""
    group_version, kind = str(body["apiVersion"]), str(body["kind"])
    ours = own_schemas()
    if schema := ours.get(f"{group_version.replace('/', '_')}_{kind}.json"):
        registry: Registry[Any] = Registry().with_resources([(name, Resource.from_contents(text)) for name, text in ours.items()])
        for error in jsonschema.Draft202012Validator(schema, registry=registry).iter_errors(body):
            yield f"{kind}: {error.json_path}: {error.message}"
        return
    for version in KUBERNETES_VERSIONS:
        try:
            kubernetes_validate.validate(body, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{kind}: no schema for {group_version} (Kubernetes {version})"
        except kubernetes_validate.ValidationError as error:
            yield f"{kind}: {error.json_path}: {error.message} (Kubernetes {version})"


def open_objects(schema: object, place: str = "") -> Iterator[str]:
    """Name every object with listed properties that would let an unknown one pass."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "additionalProperties" not in schema:
            yield place
        for key, value in schema.items():
            yield from open_objects(value, f"{place}/{key}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from open_objects(value, f"{place}/{number}")


@pytest.mark.parametrize("name", own_schemas())
def test_own_schemas_are_strict(name: str) -> None:
    """A schema of ours is a valid schema, named after its file, and leaves no object open."""
    schema = own_schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == name
    assert list(open_objects(schema)) == []
    assert list(open_objects({"items": {"type": "object", "properties": {}}})) == ["/items"]


# --- what the documents say of each other


def only(found: Manifests, kind: str) -> Manifest:
    (body,) = (body for (its_kind, _), body in found.items() if its_kind == kind)
    return body


def image_tags(value: object) -> Iterator[str]:
    """Every ImageStreamTag that a document names, wherever it stands."""
    if isinstance(value, dict):
        if value.get("kind") == "ImageStreamTag":
            yield value["name"]
        for part in value.values():
            yield from image_tags(part)
    elif isinstance(value, list):
        for part in value:
            yield from image_tags(part)


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from keys(part)


def environment(container: Manifest) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container["env"]}


def image_problems(found: Manifests) -> Iterator[str]:
    """Streams exist; what is built is what is deployed; each input of a build also starts it."""
    builds = {name: body["spec"] for (kind, name), body in found.items() if kind == "BuildConfig"}
    deployment = only(found, "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    triggers = json.loads(deployment["metadata"]["annotations"]["image.openshift.io/triggers"])
    used = {tag for body in (*builds.values(), triggers) for tag in image_tags(body)}
    for tag in sorted(used):
        if ("ImageStream", tag.partition(":")[0]) not in found:
            yield f"no ImageStream for {tag}"

    for name, spec in builds.items():
        strategy = spec["strategy"].get("sourceStrategy") or spec["strategy"]["dockerStrategy"]
        inputs = {strategy["from"]["name"], *image_tags(spec["source"])}
        started_by = {
            trigger["imageChange"].get("from", strategy["from"])["name"]
            for trigger in spec["triggers"]
            if trigger["type"] == "ImageChange"
        }
        if started_by != inputs:
            yield f"{name}: built from {sorted(inputs)}, started by {sorted(started_by)}"
        if spec["output"]["to"]["name"] in inputs:
            yield f"{name}: would start itself"

    produced = {spec["output"]["to"]["name"] for spec in builds.values()}
    (trigger,) = triggers
    if trigger["from"]["name"] not in produced:
        yield f"{trigger['from']['name']} is deployed, but not built"
    if container["image"] != trigger["from"]["name"]:
        yield f"image {container['image']} is not the trigger's {trigger['from']['name']}"
    if trigger["fieldPath"] != f'spec.template.spec.containers[?(@.name=="{container["name"]}")].image':
        yield f"the trigger writes to {trigger['fieldPath']}"
    stream = found.get(("ImageStream", container["image"].partition(":")[0]))
    if stream is None or not stream["spec"]["lookupPolicy"]["local"]:
        yield f"{container['image']} would be sought in a public registry"


def dockerfile_problems(found: Manifests) -> Iterator[str]:
    """The chained build puts the application on the runtime image, for any UID of group 0."""
    for (kind, name), body in found.items():
        if kind != "BuildConfig" or "dockerfile" not in body["spec"]["source"]:
            continue
        first, *rest = body["spec"]["source"]["dockerfile"].strip().splitlines()
        if first != f"FROM {body['spec']['strategy']['dockerStrategy']['from']['name']}":
            yield f"{name}: {first} is not the strategy's image"
        names = {alias for image in body["spec"]["source"]["images"] for alias in image.get("as", ())}
        for line in rest:
            copied = re.fullmatch(r"COPY --from=(\S+) --chown=1001:0 /opt/app-root /opt/app-root", line)
            if copied is None or copied[1] not in names:
                yield f"{name}: unexpected line: {line}"


def selector_problems(found: Manifests) -> Iterator[str]:
    """Everything that selects pods selects those of the Deployment."""
    deployment = only(found, "Deployment")["spec"]
    budget = only(found, "PodDisruptionBudget")["spec"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    selectors = {
        "Deployment": deployment["selector"]["matchLabels"],
        "Service": only(found, "Service")["spec"]["selector"],
        "PodDisruptionBudget": budget["selector"]["matchLabels"],
        "topologySpreadConstraints": spread["labelSelector"]["matchLabels"],
    }
    labels = deployment["template"]["metadata"]["labels"]
    for kind, selector in selectors.items():
        if not selector.items() <= labels.items():
            yield f"{kind}: selects no pod of the Deployment: {selector}"
    if budget["maxUnavailable"] >= deployment["replicas"]:
        yield "PodDisruptionBudget: would let all pods go at once"


def port_problems(found: Manifests) -> Iterator[str]:
    """Route -> Service -> container, and the port that the image serves."""
    service, route = only(found, "Service"), only(found, "Route")["spec"]
    (container,) = only(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    if environment(container)["PORT"] != "8080" or list(ports.values()) != [8080]:
        yield f"ports: PORT={environment(container)['PORT']}, container {ports}, image 8080"
    for port in service["spec"]["ports"]:
        if port["targetPort"] not in ports:
            yield f"Service: no port {port['targetPort']} in the container"
    if route["to"]["name"] != service["metadata"]["name"]:
        yield f"Route: no Service {route['to']['name']}"
    if route["port"]["targetPort"] not in {port["name"] for port in service["spec"]["ports"]}:
        yield f"Route: no port {route['port']['targetPort']} in the Service"


def probe_problems(found: Manifests) -> Iterator[str]:
    """The probes ask the right port, for the host that the application answers to."""
    (container,) = only(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    host, env = only(found, "Route")["spec"]["host"], environment(container)
    if env["ALLOWED_HOSTS"] != host or env["CSRF_TRUSTED_ORIGINS"] != f"https://{host}":
        yield f"host: the application is told another than the Route's {host}"
    if env["TAXIWAY_HEALTH_HOST"] != host or container["livenessProbe"]["exec"]["command"] != ["taxiway", "alive"]:
        yield f"livenessProbe: asks for another host than the Route's {host}"
    for name in ("startupProbe", "readinessProbe"):
        request = container[name]["httpGet"]
        if request["port"] not in {port["name"] for port in container["ports"]}:
            yield f"{name}: no port {request['port']} in the container"
        if request["httpHeaders"] != [{"name": "Host", "value": host}]:
            yield f"{name}: asks for another host than the Route's {host}"


def security_problems(found: Manifests) -> Iterator[str]:
    """What the restricted SCC accepts: no identity of our choice, no privilege."""
    pod = only(found, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    if chosen := {"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions"} & set(keys(pod)):
        yield f"the SCC chooses {sorted(chosen)}"
    if risky := {"hostPort", "hostNetwork", "hostPID", "hostIPC", "hostPath", "privileged"} & set(keys(pod)):
        yield f"the SCC refuses {sorted(risky)}"
    if pod["securityContext"] != {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}:
        yield f"pod: {pod['securityContext']}"
    if container["securityContext"] != {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }:
        yield f"container: {container['securityContext']}"
    writable = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    if "/tmp" not in {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in writable}:
        yield "/tmp is not writable"
    if pod["enableServiceLinks"] or pod["automountServiceAccountToken"]:
        yield "the pod gets what it doesn't need"
    for limits in (container["resources"]["requests"], container["resources"]["limits"]):
        if not {"cpu", "memory"} <= set(limits):
            yield f"cpu and memory: {limits}"


def stop_problems(found: Manifests) -> Iterator[str]:
    """No request is lost: the pod leaves the routers' lists before SIGTERM, and has the time to finish."""
    spec = only(found, "Deployment")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    if program != "sleep":
        yield f"preStop: {program}"
    needed = int(seconds) + int(environment(container)["TAXIWAY_GRACEFUL_TIMEOUT"]) + 5
    if spec["template"]["spec"]["terminationGracePeriodSeconds"] < needed:
        yield f"terminationGracePeriodSeconds: less than {needed}"
    if spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
        yield "a rollout takes pods away before new ones are ready"


RULES = (
    image_problems,
    dockerfile_problems,
    selector_problems,
    port_problems,
    probe_problems,
    security_problems,
    stop_problems,
)


def problems(found: Manifests) -> list[str]:
    wrong = [error for body in found.values() for error in schema_errors(body)]
    # Rules read fields that the schemas make sure of.
    return wrong or [problem for rule in RULES for problem in rule(found)]


def test_manifests_have_no_problem() -> None:
    """All documents fit their schemas and each other."""
    assert problems(manifests()) == []


def test_another_name_is_one_replacement() -> None:
    """Putting another word in place of the application's name, as docs/openshift.md says, is enough."""
    assert problems(manifests(rename="shop-front")) == []


DEPLOYMENT = ("Deployment", APP)
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
SOURCE_BUILD = ("BuildConfig", f"{APP}-build")
CHAINED_BUILD = ("BuildConfig", APP)
Place = tuple[str | int, ...]


@pytest.mark.parametrize(
    ("document", "path", "value", "message"),
    [
        # A misspelt field, in a kind of Kubernetes and in each of ours.
        (DEPLOYMENT, (*CONTAINER, "securityContext", "readOnlyRootFilesystm"), True, "readOnlyRootFilesystm"),
        (SOURCE_BUILD, ("spec", "strategy", "sourceStrategy", "incrementel"), True, "incrementel"),
        (("ImageStream", APP), ("spec", "lookupPolicy", "locally"), True, "locally"),
        (("Route", APP), ("spec", "tls", "insecurePolicy"), "Redirect", "insecurePolicy"),
        (("Service", APP), ("metadata", "label"), {}, "label"),
        # A wrong type, a wrong word, a missing part.
        (("Service", APP), ("spec", "ports", 0, "port"), "8080", "is not of type"),
        (SOURCE_BUILD, ("spec", "completionDeadlineSeconds"), "1800", "is not of type"),
        (("Route", APP), ("spec", "tls", "termination"), "Edge", "is not one of"),
        (SOURCE_BUILD, ("spec", "strategy", "type"), "Docker", "dockerStrategy"),
        (SOURCE_BUILD, ("spec", "triggers", 2), {"type": "GitHub", "generic": {}}, "github"),
        (SOURCE_BUILD, ("spec", "triggers", 2, "github"), {"secret": "hush"}, "secret"),
        (
            CHAINED_BUILD,
            ("spec", "source", "images", 0),
            {"from": {"kind": "DockerImage", "name": "a"}},
            "under any",
        ),
        (SOURCE_BUILD, ("spec", "output", "to", "name"), "polls-build", "does not match"),
        # A kind, or a version of it, that nobody can check.
        (("Service", APP), ("kind",), "Serivce", "no schema"),
        (("Route", APP), ("apiVersion",), "route.openshift.io/v2", "no schema"),
        (("PodDisruptionBudget", APP), ("apiVersion",), "policy/v1beta1", "no schema"),
        # Documents that don't fit each other.
        (
            SOURCE_BUILD,
            ("spec", "strategy", "sourceStrategy", "from", "name"),
            "other:trixie",
            "no ImageStream for",
        ),
        (CHAINED_BUILD, ("spec", "triggers", 1, "imageChange"), {}, "started by"),
        (CHAINED_BUILD, ("spec", "output", "to", "name"), "polls-build:latest", "would start itself"),
        (DEPLOYMENT, (*CONTAINER, "image"), "polls:stable", "is not the trigger's"),
        (DEPLOYMENT, (*CONTAINER, "name"), "web", "the trigger writes to"),
        (("ImageStream", APP), ("spec", "lookupPolicy", "local"), False, "public registry"),
        (CHAINED_BUILD, ("spec", "source", "dockerfile"), "FROM scratch\n", "is not the strategy's image"),
        (CHAINED_BUILD, ("spec", "source", "images", 0, "as"), ["other"], "unexpected line"),
        (DEPLOYMENT, ("spec", "template", "metadata", "labels"), {"app": "polls"}, "selects no pod"),
        (("PodDisruptionBudget", APP), ("spec", "maxUnavailable"), 2, "all pods"),
        (("Service", APP), ("spec", "ports", 0, "targetPort"), 8081, "no port 8081"),
        (("Route", APP), ("spec", "to", "name"), "other", "no Service"),
        (("Route", APP), ("spec", "port", "targetPort"), "web", "no port web"),
        (("Route", APP), ("spec", "host"), "other.example.com", "another"),
        (DEPLOYMENT, (*CONTAINER, "ports", 0, "containerPort"), 8000, "image 8080"),
        (DEPLOYMENT, (*CONTAINER, "readinessProbe", "httpGet", "port"), 8000, "readinessProbe: no port"),
        (DEPLOYMENT, (*CONTAINER, "startupProbe", "httpGet", "httpHeaders"), [], "startupProbe: asks"),
        (DEPLOYMENT, (*CONTAINER, "livenessProbe", "exec", "command"), ["true"], "livenessProbe: asks"),
        # What the restricted SCC refuses, or would have to be asked for.
        (DEPLOYMENT, (*POD, "securityContext", "fsGroup"), 0, "fsGroup"),
        (DEPLOYMENT, (*CONTAINER, "securityContext", "runAsUser"), 1001, "runAsUser"),
        (DEPLOYMENT, (*CONTAINER, "ports", 0, "hostPort"), 8080, "hostPort"),
        (DEPLOYMENT, (*CONTAINER, "securityContext", "capabilities"), {"add": ["NET_ADMIN"]}, "container:"),
        (DEPLOYMENT, (*POD, "volumes", 0), {"name": "tmp", "secret": {"secretName": "a"}}, "not writable"),
        (DEPLOYMENT, (*CONTAINER, "resources", "limits"), {"cpu": "1"}, "cpu and memory"),
        # A stop that would cut requests.
        (DEPLOYMENT, (*POD, "terminationGracePeriodSeconds"), 29, "less than 30"),
        (
            DEPLOYMENT,
            (*CONTAINER, "lifecycle", "preStop", "exec", "command"),
            ["sleep", "15"],
            "less than 40",
        ),
        (DEPLOYMENT, ("spec", "strategy", "rollingUpdate", "maxUnavailable"), 1, "a rollout"),
    ],
)
def test_each_mistake_is_found(document: tuple[str, str], path: Place, value: object, message: str) -> None:
    """One change to the good manifests is enough for a problem that names it."""
    found = copy.deepcopy(manifests())
    *parents, last = path
    place: Any = found[document]
    for key in parents:
        place = place[key]
    place[last] = value
    assert any(message in problem for problem in problems(found)), problems(found)


def test_a_missing_stream_is_found() -> None:
    """Each image name needs its ImageStream."""
    found = manifests()
    del found["ImageStream", "taxiway-runtime"]
    assert problems(found) == ["no ImageStream for taxiway-runtime:trixie"]


def test_a_key_written_twice_is_refused() -> None:
    with pytest.raises(yaml.constructor.ConstructorError, match="twice"):
        documents("spec: {replicas: 1, replicas: 2}")


# --- kustomize


def by_pointer(body: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body


def by_field_path(body: Any, path: str) -> Any:
    for part in re.findall(r"\[[^]]*\]|[^.\[]+", path):
        if part.startswith("["):
            key, _, value = part[1:-1].partition("=")
            (body,) = (item for item in body if item[key] == value)
        else:
            body = body[part]
    return body


def selected(found: Manifests, selector: Mapping[str, str]) -> Manifest:
    body = found[selector["kind"], selector["name"]]
    assert body["apiVersion"] == "/".join((selector["group"], selector["version"]))
    return body


def test_kustomization_fits_its_schema() -> None:
    assert list(schema_errors(kustomization())) == []
    assert list(schema_errors(kustomization() | {"resource": []}))


def test_kustomization_takes_every_manifest() -> None:
    assert sorted(kustomization()["resources"]) == sorted(texts())


def test_oc_apply_of_the_folder_skips_the_kustomization() -> None:
    """`oc apply -f DIR` reads .json, .yaml and .yml: the cluster has no kind Kustomization."""
    others = {path.name for path in MANIFESTS.iterdir()} - set(texts())
    assert others == {"Kustomization"}


def test_kustomization_and_plain_files_agree() -> None:
    """Unchanged, `oc apply -k` and `-f` apply the same: each patch and replacement finds its own value."""
    found = manifests()
    for patch in kustomization()["patches"]:
        for step in documents(patch["patch"])[0]:
            assert step.keys() == {"op", "path", "value"}
            assert step["op"] == "replace"
            place = by_pointer(selected(found, patch["target"]), step["path"])
            assert place == step["value"]
    for replacement in kustomization()["replacements"]:
        source = replacement["source"]
        value = by_pointer(selected(found, source), source["fieldPath"].replace(".", "/"))
        for target in replacement["targets"]:
            options = target.get("options")
            for path in target["fieldPaths"]:
                there = by_field_path(selected(found, target["select"]), path)
                assert (there.split(options["delimiter"])[options["index"]] if options else there) == value


# --- the page


def merged(body: Any, patch: Any) -> Any:
    if isinstance(body, dict) and isinstance(patch, dict):
        return body | {key: merged(body.get(key), value) for key, value in patch.items()}
    return patch


def examples() -> list[Manifest]:
    """Read the YAML blocks of docs/openshift.md."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [body for block in blocks for body in documents(block)]


def test_examples_on_the_page_are_valid() -> None:
    """A block of the page is a whole document, or a part that fits into the manifest of its kind and name."""
    found = manifests()
    assert examples()
    for example in examples():
        key = (example["kind"], example["metadata"]["name"])
        assert list(schema_errors(merged(found[key], example) if key in found else example)) == []


def test_the_page_names_every_file() -> None:
    page = PAGE.read_text()
    assert [path.name for path in MANIFESTS.iterdir() if f"`{path.name}`" not in page] == []
