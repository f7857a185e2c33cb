"""One pod of a real Kubernetes manifest, run by podman as the kubelet would run it.

`podman kube play` knows neither StatefulSets nor native sidecars, ignores subPath, fsGroup and
preStop, and stops all containers at once. This takes the very manifests that are deployed.
"""
