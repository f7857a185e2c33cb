"""Mistakes that people make in manifests, each with the check that is there to find it.

A line is a check and a change as in `support.changes`. A path starts at a container, a part of the
workload, the only object of a kind, or a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kubernetes import hardening, references, settings
from kubernetes.kubelite.manifest import Manifest, containers
from kubernetes.overlays import NAME, configmap
from support.changes import change

Check = Callable[[Manifest], Iterator[str]]

BROKERED = "fluent-bit-workload-identity"
MISTAKES = """
references.volumes source/volumeMounts/data/name = dat
references.volumes pod/volumes + {name: x}
references.volumes source/volumeMounts/data/mountPath = /tmp
references.volumes source/volumeMounts/data/mountPath = /tmp/state
references.data pod/volumes/data/persistentVolumeClaim/claimName = x
references.data pod/volumes/config/configMap/name = x
references.data pod/volumes/token/secret/items/0/key = x
references.data shipper/envFrom/0/configMapRef/name = x
references.data shipper/env + {name: S, valueFrom: {secretKeyRef: {name: x, key: x}}}
references.ports source/livenessProbe/httpGet/port = metric
references.ports Service/spec/ports/metrics/targetPort = metric
references.ports Service/spec/ports/shipper-metrics/targetPort = shipper-metrics
references.ports NetworkPolicy/spec/ingress/0/ports/0/port = 1
references.ports shipper/ports/0/containerPort = 9464
references.names labels/app.kubernetes.io~name -
references.names pod/serviceAccountName = x
references.names workload/serviceName = x
references.names Service/metadata/namespace = x
hardening.single workload/replicas = 2
hardening.single workload/replicas -
hardening.single StatefulSet/kind = DaemonSet
hardening.single objects + {kind: HorizontalPodAutoscaler}
hardening.single PersistentVolumeClaim/spec/accessModes = [ReadWriteOnce]
hardening.single workload/podManagementPolicy -
hardening.single workload/volumeClaimTemplates = [{metadata: {name: data}}]
hardening.pod pod/securityContext/runAsUser = 0
hardening.pod pod/securityContext/seccompProfile -
hardening.pod pod/automountServiceAccountToken -
hardening.pod ServiceAccount/automountServiceAccountToken -
hardening.pod pod/hostNetwork = true
hardening.pod pod/volumes + {name: h, hostPath: {}}
hardening.pod objects + {kind: Namespace, metadata: {name: x}}
hardening.each_container shipper/securityContext/readOnlyRootFilesystem -
hardening.each_container source/securityContext/allowPrivilegeEscalation -
hardening.each_container source/securityContext/capabilities/add = [X]
hardening.each_container source/securityContext/runAsUser = 0
hardening.each_container shipper/resources -
hardening.each_container shipper/image = a/b
hardening.each_container shipper/image = a:latest
hardening.secrets pod/volumes/token/secret/defaultMode -
hardening.secrets pod/volumes/token/secret/items -
hardening.secrets source/volumeMounts/token/readOnly -
hardening.secrets shipper/envFrom + {secretRef: {name: x}}
hardening.order pod/initContainers/shipper -
hardening.order shipper/restartPolicy -
hardening.order shipper/startupProbe -
hardening.order pod/terminationGracePeriodSeconds = 30
hardening.order pod/initContainers + {name: late}
hardening.network NetworkPolicy/spec/egress + {ports: [{port: 80}]}
hardening.network NetworkPolicy/spec/egress + {}
hardening.network NetworkPolicy/spec/ingress + {ports: [{port: 8687}]}
hardening.network NetworkPolicy/spec/policyTypes/1 -
settings.source configmap/config/config.toml ~ [telemetry] => [telemetri]
settings.source source/volumeMounts/token/mountPath = /run/secrets/other
settings.source source/volumeMounts/data/mountPath = /var/lib/other
settings.source source/volumeMounts/mappings/mountPath = /other
settings.source configmap/config/config.toml ~ 0.0.0.0:9464 => 127.0.0.1:9464
settings.listener configmap/config/config.toml ~ 8687 => 9880
settings.listener configmap/shipper/http.yaml ~ listen: 127.0.0.1 => listen: 0.0.0.0
settings.outputs configmap/shipper/http.yaml ~ match: sentinelone.alertsv2.* => match: x
settings.outputs configmap/shipper/http.yaml ~ SentinelOneSource_CL => SentinelOneHealth_CL
settings.variables configmap/azure/DCE_URL -
settings.variables shipper/volumeMounts/broker/mountPath = /run/secrets/other
settings.storage shipper/volumeMounts/data/name = shipper-tmp
settings.storage shipper/volumeMounts/data/subPath = state
settings.programs source/args = [poll]
settings.programs source/livenessProbe = {exec: {command: [sentinelone-source, healthy]}}
settings.broker shipper/env + {name: AZURE_AUTH_URL, value: "http://127.0.0.1:1/"}
settings.broker pod/volumes/broker/secret/items/0/key = x
settings.broker pod/initContainers/broker -
settings.broker annotations/azure.workload.identity~skip-containers -
""".strip().splitlines()


def check_of(mistake: str) -> Check:
    """The check that finds a mistake."""
    module, _, name = mistake.split(" ", maxsplit=1)[0].partition(".")
    known = {"references": references, "hardening": hardening, "settings": settings}
    found: Check = getattr(known[module], name)
    return found


def make(manifest: Manifest, mistake: str) -> None:
    """Change a manifest as a line says."""
    configmaps = [one["metadata"]["name"] for one in manifest.of("ConfigMap")]
    names = [name.removeprefix(f"{NAME}-").rpartition("-")[0] for name in configmaps]
    roots: dict[str, Any] = {
        **{one["kind"]: one for one in manifest.objects},
        **{one["name"]: one for one in containers(manifest.pod)},
        **manifest.pod["metadata"],
        "objects": manifest.objects,
        "workload": manifest.workload["spec"],
        "pod": manifest.pod["spec"],
        "configmap": {name: configmap(manifest, name) for name in names},
    }
    change(roots, mistake.partition(" ")[2])
