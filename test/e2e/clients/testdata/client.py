# SPDX-License-Identifier: Apache-2.0
"""What programs in Python do with a cluster, by its official client: argument: a kubeconfig."""
import sys

from kubernetes import client, config, watch

NAMESPACE = "python"

config.load_kube_config(sys.argv[1])
core, custom = client.CoreV1Api(), client.CustomObjectsApi()

print("server", client.VersionApi().get_code().git_version)
core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))

for name in ("one", "two", "three"):
    core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"of": "test"}), data={"key": "first"}))
core.patch_namespaced_config_map("two", NAMESPACE, {"data": {"key": "second"}})
print("patched", core.read_namespaced_config_map("two", NAMESPACE).data["key"])

names, token = [], None
while True:
    page = core.list_namespaced_config_map(NAMESPACE, label_selector="of=test", limit=2, _continue=token)
    names += [m.metadata.name for m in page.items]
    token = page.metadata._continue
    if not token:
        break
print("pages", " ".join(sorted(names)))

core.delete_namespaced_config_map("three", NAMESPACE)
watching = watch.Watch()
for event in watching.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=page.metadata.resource_version, timeout_seconds=30):
    if event["type"] == "DELETED":
        print("watched", event["object"].metadata.name)
        watching.stop()

try:
    core.read_namespaced_config_map("three", NAMESPACE)
except client.exceptions.ApiException as e:
    print("missing", e.status)

big = {"apiVersion": "tests.example.com/v1", "kind": "Big", "metadata": {"name": "from-python"}, "spec": {"field001": {"size": 3}}}
custom.create_namespaced_custom_object("tests.example.com", "v1", NAMESPACE, "bigs", big)
print("custom", custom.get_namespaced_custom_object("tests.example.com", "v1", NAMESPACE, "bigs", "from-python")["spec"]["field001"]["size"])
core.delete_namespace(NAMESPACE)
