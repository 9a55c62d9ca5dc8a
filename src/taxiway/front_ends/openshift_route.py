"""OpenShift: a Route for each site.

Facts, by its documentation, "Route-specific annotations": the router's default, `append`, keeps what a client made up beside its
own values; `replace` doesn't. It sets X-Forwarded-For, -Host, -Port, -Proto and Forwarded; other headers of proxies reach the
application, whose policy throws them away. Names that no Route has are answered with 503. The body's size has no limit.
"""

from taxiway.front_ends import PREFIX, TUNNEL_TIMEOUT_S, FrontEnd, Site, introduction


def render(front_end: FrontEnd) -> str:
    """Write the manifests."""
    lines = introduction(
        front_end,
        "Routes of OpenShift",
        "Create them with: oc apply -f FILE. The preset openshift stands for the networks of its default configuration;",
        "to see those of a cluster: oc get network.config/cluster -o yaml",
    )
    for site in front_end.sites:
        lines += ["---", *_route(front_end, site)]
    return "\n".join(lines) + "\n"


def _route(front_end: FrontEnd, site: Site) -> list[str]:
    service, _, port = site.upstream.rpartition(":")
    annotations = {
        "timeout": f"{front_end.read_timeout_s}s",
        "timeout-tunnel": f"{TUNNEL_TIMEOUT_S // 3600}h",
        "set-forwarded-headers": "append" if front_end.behind else "replace",
    }
    if front_end.prefix:
        annotations["rewrite-target"] = "/"
    lines = ["apiVersion: route.openshift.io/v1", "kind: Route", "metadata:", f'  name: "{site.host}"', "  annotations:"]
    lines += [f"    haproxy.router.openshift.io/{name}: {value}" for name, value in annotations.items()]
    lines += ["spec:", f'  host: "{site.host}"']
    if front_end.prefix:
        lines += [f"  path: {front_end.prefix}"]
    lines += ["  to:", "    kind: Service", f'    name: "{service}"', "    weight: 100"]
    lines += ["  port:", f"    targetPort: {port}"]
    if front_end.prefix:  # OpenShift 4.14 and later
        lines += ["  httpHeaders:", "    actions:", "      request:", f"        - name: {PREFIX}"]
        lines += ["          action:", "            type: Set", "            set:", f"              value: {front_end.prefix}"]
    if front_end.tls:
        lines += ["  tls:", "    termination: edge", "    insecureEdgeTerminationPolicy: Redirect"]
    return [*lines, "  wildcardPolicy: None"]
